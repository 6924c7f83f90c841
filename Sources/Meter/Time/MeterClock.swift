// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where the meter reads time. Both come through here so that tests and simulations give their own.
public struct MeterClock: Sendable {
  /// UTC, may jump: for stamps.
  public var wall: @Sendable () -> WallTime
  /// Never goes back while the host runs, has no meaning after it: for durations.
  public var monotonic: @Sendable () -> Nanoseconds

  public init(
    wall: @escaping @Sendable () -> WallTime, monotonic: @escaping @Sendable () -> Nanoseconds
  ) {
    self.wall = wall
    self.monotonic = monotonic
  }

  /// CLOCK_REALTIME and CLOCK_MONOTONIC (clock_gettime(2)).
  public static let system = MeterClock(
    wall: {
      var time = timespec()
      clock_gettime(CLOCK_REALTIME, &time)
      return WallTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    },
    monotonic: {
      var time = timespec()
      clock_gettime(CLOCK_MONOTONIC, &time)
      return Nanoseconds(Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    })
}
