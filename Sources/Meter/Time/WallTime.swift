// SPDX-License-Identifier: Apache-2.0

/// A point on the UTC calendar: whole microseconds since 1970-01-01T00:00:00Z, leap seconds not
/// counted (POSIX time). Used for stamps only; durations come from a monotonic clock.
public struct WallTime: Sendable, Hashable, Comparable {
  public var microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }
  public init(seconds: Int64) { microseconds = seconds * 1_000_000 }

  /// 0001-01-01: before every time RFC 3339 can write.
  public static let distantPast = WallTime(seconds: -62_135_596_800)
  /// 10000-01-01: after every time RFC 3339 can write.
  public static let distantFuture = WallTime(seconds: 253_402_300_800)

  /// Whole seconds, rounded towards the past.
  public var seconds: Int64 { floorDivide(microseconds, 1_000_000) }

  public static func < (left: WallTime, right: WallTime) -> Bool {
    left.microseconds < right.microseconds
  }

  public static func + (left: WallTime, nanoseconds: Nanoseconds) -> WallTime {
    WallTime(microseconds: left.microseconds + nanoseconds.value / 1_000)
  }

  /// The latest start of a bucket of `length` seconds that is not after this time. Buckets of a
  /// minute, an hour and a day all start at multiples of their length since 1970.
  public func floored(toSeconds length: Int64) -> WallTime {
    WallTime(seconds: floorDivide(seconds, length) * length)
  }

  /// The earliest start of a bucket of `length` seconds that is not before this time.
  public func ceiled(toSeconds length: Int64) -> WallTime {
    let floor = floored(toSeconds: length)
    return floor == self ? self : WallTime(seconds: floor.seconds + length)
  }
}

/// A span or a monotonic reading, in nanoseconds.
public struct Nanoseconds: Sendable, Hashable, Comparable {
  public var value: Int64

  public init(_ value: Int64) { self.value = value }
  public static func seconds(_ value: Int64) -> Nanoseconds { Nanoseconds(value * 1_000_000_000) }

  public static func < (left: Nanoseconds, right: Nanoseconds) -> Bool { left.value < right.value }
  public static func - (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
    Nanoseconds(left.value - right.value)
  }
  public static func + (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
    Nanoseconds(left.value + right.value)
  }
}

/// Division that rounds towards minus infinity, so that times before 1970 fall into their bucket.
func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
  let quotient = value / divisor
  return value % divisor < 0 ? quotient - 1 : quotient
}
