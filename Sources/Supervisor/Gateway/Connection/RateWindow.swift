// SPDX-License-Identifier: Apache-2.0

/// Whether at least so many bytes a second pass, over windows of some seconds.
package struct RateWindow: Sendable {
  package init() {}

  private var start: Int64 = -1
  private var bytes = 0

  package mutating func add(_ count: Int) { bytes += count }

  /// Looks at the window under way, and begins the next one when it is over.
  ///
  /// - Parameter now: milliseconds of a clock that never goes back.
  package mutating func isTooSlow(now: Int64, rateMin: Int, windowSeconds: Int) -> Bool {
    guard start >= 0 else {
      (start, bytes) = (now, 0)
      return false
    }
    guard now - start >= Int64(windowSeconds) * 1000 else { return false }
    let isSlow = bytes < rateMin * windowSeconds
    (start, bytes) = (now, 0)
    return isSlow
  }
}
