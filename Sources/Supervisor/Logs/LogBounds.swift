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
  /// What must have gathered of the burst before an app that printed too much is heard again: about a second's worth, so
  /// that a flood is told of once a second and not with every line that slips through.
  package static let resumeBytes = 262_144
  /// How long the host does not listen to an app that printed too much. With the 64 KiB of a pipe it reads, only to drop
  /// it, at most 64 MB of a flood a second; the app is slowed to that and never stopped.
  package static let pauseMilliseconds: Int64 = 1
  /// Bytes of one app that wait for the disk; more is dropped and counted.
  package static let pendingBytesMax = 4 << 20
  /// Entries that wait for one slow `logs -f`; what comes then is left out, and the follower is told where.
  package static let followerEntriesMax = 1_024
}

/// A token bucket: how much a guest may print now. A value; the caller brings the time.
package struct LogAllowance: Sendable {
  private var tokens = Double(LogBounds.burstBytes)
  private var last: Int64?
  private var isExhausted = false
  /// What was refused since `takeDropped` was last asked.
  package private(set) var droppedLines = 0
  package private(set) var droppedBytes = 0

  package init() {}

  /// Whether a line of `bytes` may be kept at `nanoseconds` of a monotonic clock.
  package mutating func admits(bytes: Int, at nanoseconds: Int64) -> Bool {
    if let last, nanoseconds > last {
      let refill = Double(nanoseconds - last) / 1e9 * Double(LogBounds.rateBytes)
      tokens = min(Double(LogBounds.burstBytes), tokens + refill)
    }
    last = max(last ?? nanoseconds, nanoseconds)
    guard tokens >= Double(max(bytes, isExhausted ? LogBounds.resumeBytes : 0)) else {
      isExhausted = true
      drop(bytes: bytes)
      return false
    }
    isExhausted = false
    tokens -= Double(bytes)
    return true
  }

  /// Counts a line that is not kept.
  package mutating func drop(lines: Int = 1, bytes: Int) {
    droppedLines += lines
    droppedBytes += bytes
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
