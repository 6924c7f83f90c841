// SPDX-License-Identifier: Apache-2.0

/// One reader of a log as it grows. Not `Sendable`: used under the log's lock.
final class LogFollower {
  private let continuation: AsyncStream<LogEntry>.Continuation
  private var dropped = 0

  init(_ continuation: AsyncStream<LogEntry>.Continuation) { self.continuation = continuation }

  func yield(_ entry: LogEntry) {
    if dropped > 0 {
      let text = "this reader is too slow: \(dropped) lines are missing here, perhaps more"
      guard case .enqueued(let room) = tell(text, at: entry) else {
        dropped += 1
        return
      }
      dropped = room >= Self.roomMin ? 0 : 1
      guard dropped == 0 else { return }
    }
    switch continuation.yield(entry) {
    case .dropped: dropped += 1
    // The last place is kept for saying that the rest is missing: nothing may come after it to say so.
    case .enqueued(1):
      _ = tell("this reader is too slow: lines are missing from here on", at: entry)
    default: break
    }
  }

  /// Places for one line and for what has to be said if it is the last.
  private static let roomMin = 2

  private func tell(_ text: String, at entry: LogEntry)
    -> AsyncStream<LogEntry>.Continuation.YieldResult
  {
    continuation.yield(
      LogEntry(
        time: entry.time, source: .host, text: text, event: AppEvent.logDropped.rawValue))
  }
}
