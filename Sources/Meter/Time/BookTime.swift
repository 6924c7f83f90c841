// SPDX-License-Identifier: Apache-2.0

/// Decides which wall time stamps an interval when the wall clock may jump.
///
/// The length of an interval is always monotonic. Its stamps follow the wall clock while both agree
/// within `tolerance`; a larger disagreement is a jump, reported by name, after which stamps go on
/// from the new wall time. Quantities are never touched by a jump.
struct BookTime: Sendable {
  /// NTP slews by at most 500 ppm, so a tick of seconds drifts by milliseconds; a step is larger.
  static let tolerance = Nanoseconds.seconds(2)

  private(set) var wall: WallTime
  private(set) var monotonic: Nanoseconds

  struct Advance {
    var start: WallTime
    var end: WallTime
    var elapsed: Nanoseconds
    /// Where the wall clock was expected and what it said instead.
    var jump: (expected: WallTime, found: WallTime)?
  }

  init(wall: WallTime, monotonic: Nanoseconds) {
    self.wall = wall
    self.monotonic = monotonic
  }

  /// Closes the interval that began at the previous call (or at `init`).
  mutating func advance(wall now: WallTime, monotonic reading: Nanoseconds) -> Advance {
    let elapsed = max(Nanoseconds(0), reading - monotonic)
    let start = wall
    let expected = wall + elapsed
    let apart = (now.microseconds - expected.microseconds).magnitude
    monotonic = reading
    guard apart > UInt64(Self.tolerance.value / 1_000) else {
      // Small drift is followed, but an interval never ends before it starts.
      wall = max(now, start)
      return Advance(start: start, end: wall, elapsed: elapsed, jump: nil)
    }
    wall = now
    return Advance(start: start, end: expected, elapsed: elapsed, jump: (expected, now))
  }
}
