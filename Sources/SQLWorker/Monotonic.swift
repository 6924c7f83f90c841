// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The monotonic clock, in nanoseconds.
enum Monotonic {
  static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  static func after(milliseconds: Int64, from start: UInt64 = now) -> UInt64 {
    start + UInt64(max(0, milliseconds)) * 1_000_000
  }
}
