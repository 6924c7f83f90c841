// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import Sandbox
import Synchronization

/// Counts what the data directories of running guests hold, and acts when one is full.
final class DataWatch: Sendable {
  struct Guest: Sendable {
    /// The data directory.
    var directory: String
    /// What it may hold is what the app's other stores leave.
    var storage: StorageAccount
    /// Largest file while there is room.
    var fileBytes: UInt64
    var process: SandboxedProcess
    var journal: any AppJournal
    /// Counting is charged to the app.
    var work: HostWork
  }

  /// What was there when writes began to be refused; outlives the guest, so that a restart is no new beginning.
  typealias Refusal = (bytes: Int64, entries: Int)

  /// What a start has to know.
  enum Room: Sendable {
    case some
    /// The guest starts without leave to write.
    case none(Refusal)
    /// It grew although writes were refused: it is not started again.
    case overrun(String)
  }

  private struct Count: Sendable {
    var bytes: Int64
    var entries: Int
    var isDiskLow: Bool
    var took: Duration

    func bytesMax(_ storage: StorageAccount) -> Int64 {
      isDiskLow ? 0 : storage.share(of: .data)
    }

    func figures(of bytesMax: Int64) -> String {
      "\(bytes) bytes in \(entries) entries, of \(bytesMax)"
        + (isDiskLow ? ", as the disk is nearly full" : "")
    }
  }

  private struct State {
    /// By directory.
    var refusals: [String: Refusal] = [:]
    var watched: Set<String> = []
  }

  private let state = Mutex(State())
  /// Walking blocks: one directory at a time, away from everything that answers.
  private let queue = DispatchQueue(label: "bulkhead.data", qos: .utility)
  /// A start does not wait for the count of another app.
  private let startQueue = DispatchQueue(label: "bulkhead.data.start", attributes: .concurrent)

  func room(in directory: String, _ storage: StorageAccount) async -> Room {
    let count = await counted(startQueue) { Self.count(directory, nil) }
    let bytesMax = count.bytesMax(storage)
    return state.withLock { state in
      var quota = DataQuota(bytesMax: bytesMax, refusedAt: state.refusals[directory])
      if quota.isOverrun(bytes: count.bytes, entries: count.entries) {
        return .overrun(count.figures(of: bytesMax))
      }
      _ = quota.take(bytes: count.bytes, entries: count.entries, bytesMax: bytesMax)
      state.refusals[directory] = quota.refusedAt
      return quota.refusedAt.map(Room.none) ?? .some
    }
  }

  /// Whether a guest's directory is counted here, open files that no directory shows included.
  func isWatching(_ directory: String) -> Bool { state.withLock { $0.watched.contains(directory) } }

  /// Watches until the task is cancelled.
  func watch(_ guest: Guest, refusedAt: Refusal?) -> Task<Void, Never> {
    // Its own task: it lives as long as the guest, whom nobody waits for here.
    Task.detached(priority: .utility) { [self] in
      var quota = DataQuota(bytesMax: guest.storage.share(of: .data), refusedAt: refusedAt)
      state.withLock { _ = $0.watched.insert(guest.directory) }
      defer { state.withLock { _ = $0.watched.remove(guest.directory) } }
      if refusedAt != nil {
        note(guest, "its data directory is full: it started without leave to write")
        // The cell's own pid 1 has the bound of before; from here on, another bound was raised by somebody inside.
        _ = guest.process.boundFiles(bytes: 0)
      }
      while !Task.isCancelled {
        let count = await counted(queue) {
          guest.work.measured { Self.count(guest.directory, guest.process) }
        }
        guard !Task.isCancelled else { return }
        guest.storage.note(.data, bytes: count.bytes)
        let action = quota.take(
          bytes: count.bytes, entries: count.entries, bytesMax: count.bytesMax(guest.storage))
        state.withLock { [refused = quota.refusedAt] in $0.refusals[guest.directory] = refused }
        act(action, on: guest, count.figures(of: quota.bytesMax))
        do {
          try await Task.sleep(for: quota.pause(bytes: count.bytes, counting: count.took))
        } catch { return }
      }
    }
  }

  private func act(_ action: DataQuota.Action, on guest: Guest, _ figures: String) {
    switch action {
    case .none: break
    case .refuse:
      let problem = guest.process.boundFiles(bytes: 0).errno
      guard problem == 0 else {
        return end(guest, "its data directory is full (\(figures)) and writes cannot be refused")
      }
      note(guest, "its data directory is full (\(figures)): writes are refused until it frees some")
    case .hold:
      if guest.process.boundFiles(bytes: 0).changed > 0 {
        end(guest, "its data directory is full and it raised its own limit of writing")
      }
    case .allow:
      let isAllowed = guest.process.boundFiles(bytes: guest.fileBytes).errno == 0
      note(
        guest,
        "its data directory has room again (\(figures)): it may write"
          + (isAllowed ? "" : " once it is restarted"))
    case .end: end(guest, "its data directory grew although writes are refused (\(figures))")
    }
  }

  private func end(_ guest: Guest, _ why: String) {
    note(guest, why + ": ended")
    guest.process.kill()
  }

  private func note(_ guest: Guest, _ text: String) { guest.journal.note(.storage, text) }

  private func counted(
    _ queue: DispatchQueue, _ count: @escaping @Sendable () -> Count
  ) async -> Count {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: count()) }
    }
  }

  private static func count(_ directory: String, _ process: SandboxedProcess?) -> Count {
    let start = ContinuousClock.now
    let data = StorageSurvey.measure(directory, entriesMax: 2 * DataQuota.entriesMax)
    var facts = stat()
    let device = stat(directory, &facts) == 0 ? UInt64(facts.st_dev) : 0
    let unlinked = process.map { $0.unlinkedBytes(device: device) } ?? 0
    let isCut = data.isCut || unlinked == nil
    return Count(
      bytes: data.bytes + Int64(unlinked ?? 0),
      // What is too much or too deep to be counted counts as too much.
      entries: isCut ? max(data.entries, DataQuota.entriesMax) : data.entries,
      isDiskLow: isDiskLow(directory), took: .now - start)
  }

  /// LIMIT: the last twentieth of a disk, at most 256 MiB, is not for data directories: whatever escapes the count
  /// (descriptors under way in a socket, which no table shows) cannot take the disk from the host.
  private static func isDiskLow(_ directory: String) -> Bool {
    var facts = statvfs()
    guard statvfs(directory, &facts) == 0 else { return false }
    let size = UInt64(facts.f_frsize)
    return UInt64(facts.f_bavail) * size < min(256 << 20, UInt64(facts.f_blocks) * size / 20)
  }
}
