// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Meter
import Synchronization

/// One app's log: what it prints, and what the host says about it. Bounded on disk, in memory and per second.
package final class AppLog: AppJournal, Sendable {
  private struct State {
    var allowance = LogAllowance()
    var followers: [UInt64: LogFollower] = [:]
    var nextFollower: UInt64 = 0
    var lastEvent: LogEntry?
    var events: [String: Int] = [:]
    /// Bytes handed to the queue and not yet in the file.
    var pendingBytes = 0
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
    let line = LineCut.cut(text)[0]
    let entry = LogEntry(time: clock.wall(), source: .host, text: line, event: event.rawValue)
    state.withLock { state in
      state.lastEvent = entry
      state.events[event.rawValue, default: 0] += 1
    }
    keep(entry)
  }

  /// A line the guest printed or logged; one that is too long becomes several. Dropped and counted when the guest prints
  /// more than it may.
  ///
  /// - Returns: whether it was kept.
  @discardableResult
  package func append(_ source: LogEntry.Source, _ text: String) -> Bool {
    guard text.utf8.count > LogBounds.lineBytesMax else { return append(source, line: text) }
    return LineCut.cut(text).reduce(true) { append(source, line: $1) && $0 }
  }

  /// Each line of a text by itself. What follows a dropped line is only counted.
  package func append(_ source: LogEntry.Source, linesOf text: String, prefix: String) {
    var rest = text.utf8[...]
    while true {
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
      let isKept = append(source, prefix + String(Substring(rest[..<end])))
      guard end < rest.endIndex else { return }
      rest = rest[rest.index(after: end)...]
      if !isKept {
        let lines = 1 + rest.count { $0 == UInt8(ascii: "\n") }
        return drop(lines: lines, bytes: rest.count)
      }
    }
  }

  private func append(_ source: LogEntry.Source, line: String) -> Bool {
    let now = clock.monotonic().value
    let bytes = line.utf8.count + 64
    let (isAdmitted, dropped) = state.withLock { state in
      guard state.pendingBytes <= LogBounds.pendingBytesMax else {
        state.allowance.drop(bytes: bytes)
        return (false, nil as (lines: Int, bytes: Int)?)
      }
      let isAdmitted = state.allowance.admits(bytes: bytes, at: now)
      return (isAdmitted, isAdmitted ? state.allowance.takeDropped() : nil)
    }
    if let dropped { tell(dropped) }
    if isAdmitted { keep(LogEntry(time: clock.wall(), source: source, text: line)) }
    return isAdmitted
  }

  /// Counts lines that were not even looked at.
  package func drop(lines: Int, bytes: Int) {
    state.withLock { $0.allowance.drop(lines: lines, bytes: bytes) }
  }

  private func tell(_ dropped: (lines: Int, bytes: Int)) {
    note(
      .logDropped,
      "dropped \(dropped.lines) lines (\(dropped.bytes) bytes): more than "
        + "\(LogBounds.rateBytes) bytes a second")
  }

  /// Says what was dropped and not told of yet: an app that floods its log and then falls silent must not have done so
  /// unseen.
  package func tellDropped() {
    if let dropped = state.withLock({ $0.allowance.takeDropped() }) { tell(dropped) }
  }

  private func keep(_ entry: LogEntry) {
    let line = entry.encodedLine
    state.withLock { state in
      state.pendingBytes += line.count
      for follower in state.followers.values { follower.yield(entry) }
    }
    queue.async {
      self.file.append(line)
      self.state.withLock { $0.pendingBytes -= line.count }
    }
  }

  /// The last `count` lines, oldest first, everything written before the call included.
  package func tail(_ count: Int) async -> [LogEntry] {
    tellDropped()
    return await read(count)
  }

  private func read(_ count: Int) async -> [LogEntry] {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: self.file.tail(count)) }
    }
  }

  /// Lines from now on. A follower too slow for them is told where lines are missing.
  package func follow() -> AsyncStream<LogEntry> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: LogEntry.self, bufferingPolicy: .bufferingOldest(LogBounds.followerEntriesMax))
    let id = state.withLock { state in
      state.nextFollower += 1
      state.followers[state.nextFollower] = LogFollower(continuation)
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
    tellDropped()
    queue.sync { file.close() }
  }
}
