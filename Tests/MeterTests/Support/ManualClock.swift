// SPDX-License-Identifier: Apache-2.0
import Meter
import Synchronization

/// A clock that moves only when told.
final class ManualClock: Sendable {
  private struct Times {
    var wall: WallTime
    var monotonic = Nanoseconds(1_000)
  }
  private let times: Mutex<Times>

  init(_ text: String = "2026-03-09T10:00:00Z") {
    times = Mutex(Times(wall: WallTime(rfc3339: text) ?? WallTime(seconds: 0)))
  }

  var clock: MeterClock {
    MeterClock(
      wall: { self.times.withLock { $0.wall } }, monotonic: { self.times.withLock { $0.monotonic } }
    )
  }

  var wall: WallTime { times.withLock { $0.wall } }

  func advance(milliseconds: Int64) {
    times.withLock { times in
      times.wall = WallTime(microseconds: times.wall.microseconds + milliseconds * 1_000)
      times.monotonic = Nanoseconds(times.monotonic.value + milliseconds * 1_000_000)
    }
  }

  func advance(seconds: Int64) { advance(milliseconds: seconds * 1_000) }

  /// Steps the wall clock alone.
  func jump(seconds: Int64) {
    times.withLock { times in
      times.wall = WallTime(microseconds: times.wall.microseconds + seconds * 1_000_000)
    }
  }
}
