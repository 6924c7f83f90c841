// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import Sandbox

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

  private struct Count: Sendable {
    var bytes: Int64
    var entries: Int
    var took: Duration
  }

  /// Walking blocks: one directory at a time, away from everything that answers.
  private let queue = DispatchQueue(label: "bulkhead.data", qos: .utility)

  /// Whether the directory is full, as a start has to know: then the guest starts without leave to write.
  func isFull(_ directory: String, _ storage: StorageAccount) async -> Bool {
    let count = await counted { Self.count(directory, nil) }
    let bytesMax = storage.share(of: .data)
    var quota = DataQuota(bytesMax: bytesMax)
    return quota.take(bytes: count.bytes, entries: count.entries, bytesMax: bytesMax) == .refuse
  }

  /// Watches until the task is cancelled.
  func watch(_ guest: Guest, startsFull: Bool) -> Task<Void, Never> {
    // Its own task: it lives as long as the guest, whom nobody waits for here.
    Task.detached(priority: .utility) { [self] in
      var quota = DataQuota(bytesMax: guest.storage.share(of: .data))
      if startsFull { note(guest, "its data directory is full: it started without leave to write") }
      while !Task.isCancelled {
        let count = await counted {
          guest.work.measured { Self.count(guest.directory, guest.process) }
        }
        guard !Task.isCancelled else { return }
        guest.storage.note(.data, bytes: count.bytes)
        let wasFull = quota.refusedAt != nil
        let action = quota.take(
          bytes: count.bytes, entries: count.entries, bytesMax: guest.storage.share(of: .data))
        act(action, on: guest, count, of: quota.bytesMax, isKnown: startsFull && !wasFull)
        do {
          try await Task.sleep(for: quota.pause(bytes: count.bytes, counting: count.took))
        } catch { return }
      }
    }
  }

  private func act(
    _ action: DataQuota.Action, on guest: Guest, _ count: Count, of bytesMax: Int64, isKnown: Bool
  ) {
    let figures = "\(count.bytes) bytes in \(count.entries) entries, of \(bytesMax)"
    switch action {
    case .none: break
    case .refuse:
      let problem = guest.process.boundFiles(bytes: 0).errno
      guard problem == 0 else {
        return end(guest, "its data directory is full (\(figures)) and writes cannot be refused")
      }
      if !isKnown {
        note(
          guest, "its data directory is full (\(figures)): writes are refused until it frees some")
      }
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

  private func counted(_ count: @escaping @Sendable () -> Count) async -> Count {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: count()) }
    }
  }

  private static func count(_ directory: String, _ process: SandboxedProcess?) -> Count {
    let start = ContinuousClock.now
    let data = StorageSurvey.measure(directory)
    var facts = stat()
    let device = stat(directory, &facts) == 0 ? UInt64(facts.st_dev) : 0
    let unlinked = process.map { Int64($0.unlinkedBytes(device: device)) } ?? 0
    return Count(
      bytes: data.bytes + unlinked,
      // What is too deep to be counted counts as too much.
      entries: data.isCut ? max(data.entries, DataQuota.entriesMax) : data.entries,
      took: .now - start)
  }
}
