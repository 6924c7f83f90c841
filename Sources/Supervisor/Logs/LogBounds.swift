// SPDX-License-Identifier: Apache-2.0

/// Every bound of an app's log (docs/SPECIFICATION.md).
package enum LogBounds {
  /// A longer line is cut into several.
  package static let lineBytesMax = 16_384
  /// When the current file reaches this it becomes `app.log.1`.
  package static let fileBytesMax = 1 << 20
  /// Files kept, the current one included: an app's log never takes more than 5 MiB and one line.
  package static let filesMax = 5
  /// What a guest may print on average, bytes a second; the rest is dropped and counted in a line of its own.
  package static let rateBytes = 262_144
  /// What it may print at once above that.
  package static let burstBytes = 1 << 20
  /// Entries that wait for one slow `logs -f`; older ones are dropped, and the follower is told.
  package static let followerEntriesMax = 1_024
}

/// A token bucket: how much a guest may print now. A value; the caller brings the time.
package struct LogAllowance: Sendable {
  private var tokens = Double(LogBounds.burstBytes)
  private var last: Int64?
  /// What was refused since `takeDropped` was last asked.
  private(set) var droppedLines = 0
  private(set) var droppedBytes = 0

  package init() {}

  /// Whether a line of `bytes` may be kept at `nanoseconds` of a monotonic clock.
  package mutating func admits(bytes: Int, at nanoseconds: Int64) -> Bool {
    if let last, nanoseconds > last {
      let refill = Double(nanoseconds - last) / 1e9 * Double(LogBounds.rateBytes)
      tokens = min(Double(LogBounds.burstBytes), tokens + refill)
    }
    last = max(last ?? nanoseconds, nanoseconds)
    guard tokens >= Double(bytes) else {
      droppedLines += 1
      droppedBytes += bytes
      return false
    }
    tokens -= Double(bytes)
    return true
  }

  /// What was dropped so far, once.
  package mutating func takeDropped() -> (lines: Int, bytes: Int)? {
    guard droppedLines > 0 else { return nil }
    defer {
      droppedLines = 0
      droppedBytes = 0
    }
    return (droppedLines, droppedBytes)
  }
}
