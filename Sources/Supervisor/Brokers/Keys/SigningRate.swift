// SPDX-License-Identifier: Apache-2.0

/// How often an app may sign: so many at once, so many a second after that. A value; the time is given to it.
package struct SigningRate: Sendable, Equatable {
  /// Signatures a second in the long run.
  package var perSecond: Int64
  /// Signatures at once.
  package var burst: Int64
  /// What is left, in billionths of a signature.
  private var left: Int64
  private var lastNanoseconds: Int64?

  package init(perSecond: Int64 = 1_000, burst: Int64 = 2_000) {
    self.perSecond = max(1, perSecond)
    self.burst = max(1, burst)
    left = self.burst * 1_000_000_000
  }

  /// Takes one. Nil if it may be made, otherwise milliseconds until it may.
  package mutating func take(nowNanoseconds now: Int64) -> Int64? {
    // An hour fills every bucket; more would overflow.
    let elapsed = min(max(0, now - (lastNanoseconds ?? now)), 3_600_000_000_000)
    lastNanoseconds = max(now, lastNanoseconds ?? now)
    let (gained, overflow) = elapsed.multipliedReportingOverflow(by: perSecond)
    let full = burst * 1_000_000_000
    left = overflow ? full : min(full, left + min(gained, full))
    guard left >= 1_000_000_000 else {
      return (1_000_000_000 - left + perSecond * 1_000_000 - 1) / (perSecond * 1_000_000)
    }
    left -= 1_000_000_000
    return nil
  }
}
