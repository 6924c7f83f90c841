// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Meter
import Synchronization

/// One app's log: what it prints, and what the host says about it. Bounded on disk, in memory and per second.
package final class AppLog: AppJournal, Sendable {
  private struct State {
    var allowance = LogAllowance()
    var followers: [UInt64: AsyncStream<LogEntry>.Continuation] = [:]
    var nextFollower: UInt64 = 0
    var lastEvent: LogEntry?
    var events: [String: Int] = [:]
  }

  private let state = Mutex(State())
  private let queue: DispatchQueue
  // SAFETY: touched on `queue` only.
  private nonisolated(unsafe) let file: LogFile
  private let clock: MeterClock

  /// - Parameter queue: the serial queue all logs share; files are touched nowhere else.
  package init(directory: String, queue: DispatchQueue, clock: MeterClock = .system) {
    file = LogFile(directory: directory)
    self.queue = queue
    self.clock = clock
  }

  package func note(_ event: AppEvent, _ text: String) {
    let entry = LogEntry(time: clock.wall(), source: .host, text: text, event: event.rawValue)
    state.withLock { state in
      state.lastEvent = entry
      state.events[event.rawValue, default: 0] += 1
    }
    keep(entry)
  }

  /// A line the guest printed or logged. Dropped and counted when it prints more than it may.
  package func append(_ source: LogEntry.Source, _ text: String) {
    let now = clock.monotonic().value
    let (isAdmitted, dropped) = state.withLock { state in
      let isAdmitted = state.allowance.admits(bytes: text.utf8.count + 64, at: now)
      return (isAdmitted, isAdmitted ? state.allowance.takeDropped() : nil)
    }
    if let dropped {
      note(
        .logDropped,
        "dropped \(dropped.lines) lines (\(dropped.bytes) bytes): more than "
          + "\(LogBounds.rateBytes) bytes a second")
    }
    if isAdmitted { keep(LogEntry(time: clock.wall(), source: source, text: text)) }
  }

  private func keep(_ entry: LogEntry) {
    let followers = state.withLock { Array($0.followers.values) }
    for follower in followers { follower.yield(entry) }
    let line = entry.encodedLine
    queue.async { self.file.append(line) }
  }

  /// The last `count` lines, oldest first, everything written before the call included.
  package func tail(_ count: Int) async -> [LogEntry] {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: self.file.tail(count)) }
    }
  }

  /// Lines from now on. A follower too slow for them loses the oldest.
  package func follow() -> AsyncStream<LogEntry> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: LogEntry.self, bufferingPolicy: .bufferingNewest(LogBounds.followerEntriesMax))
    let id = state.withLock { state in
      state.nextFollower += 1
      state.followers[state.nextFollower] = continuation
      return state.nextFollower
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLock { _ = $0.followers.removeValue(forKey: id) }
    }
    return stream
  }

  /// The last thing the host had to say.
  package var lastEvent: LogEntry? { state.withLock { $0.lastEvent } }
  /// How often each event happened since the host started.
  package var eventCounts: [String: Int] { state.withLock { $0.events } }

  /// Waits until everything written so far is in the file, and closes it.
  package func close() {
    queue.sync { file.close() }
  }
}
