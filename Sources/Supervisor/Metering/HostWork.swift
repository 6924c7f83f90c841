// SPDX-License-Identifier: Apache-2.0
import Glibc
import Meter
import Synchronization

/// Work the host does for one app, charged to its CPU meter (design §3.10).
///
/// Measured with the thread's own CPU clock (CLOCK_THREAD_CPUTIME_ID, clock_gettime(2)): what other threads and other
/// processes do meanwhile does not count. Nested measurements on one thread count once.
package final class HostWork: Sendable {
  private let counter: MeterCounter
  /// Nanoseconds that do not make a microsecond yet.
  private let rest = Atomic<Int64>(0)

  package init(app: String, registry: MeterRegistry) throws(MeterError) {
    counter = try registry.counter(Meters.cpuHost, app: app)
  }

  /// The CPU time of this thread, in nanoseconds.
  @inline(__always)
  static func threadNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Runs `body` and charges what it took.
  @inline(__always)
  package func measured<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard !Self.isMeasuring else { return try body() }
    Self.isMeasuring = true
    let start = Self.threadNanoseconds()
    defer {
      Self.isMeasuring = false
      add(nanoseconds: Self.threadNanoseconds() - start)
    }
    return try body()
  }

  /// As `measured`, on an event loop whose work is all measured or skipped: begins where the piece of work before it ended,
  /// so that the clock, a system call, is read once a piece. What the loop itself takes in between (waiting for events,
  /// finding out whose they are) is charged to the piece it led to.
  @inline(__always)
  package func measuredOnLoop<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard !Self.isMeasuring else { return try body() }
    Self.isMeasuring = true
    let start = Self.beginOnLoop()
    defer {
      Self.isMeasuring = false
      add(nanoseconds: Self.endOnLoop(since: start))
    }
    return try body()
  }

  /// Where the last piece of work on this loop's thread ended.
  static func beginOnLoop() -> Int64 {
    let last = Int64(Int(bitPattern: pthread_getspecific(stampKey)))
    return last == 0 ? threadNanoseconds() : last
  }

  /// Nanoseconds since then; the next piece begins here.
  static func endOnLoop(since start: Int64) -> Int64 {
    let now = threadNanoseconds()
    pthread_setspecific(stampKey, UnsafeRawPointer(bitPattern: Int(now)))
    return now - start
  }

  /// After work on a loop that is the host's own: the next piece does not pay for it.
  static func skipOnLoop() { _ = endOnLoop(since: 0) }

  package func add(nanoseconds: Int64) {
    let (_, total) = rest.wrappingAdd(nanoseconds, ordering: .relaxed)
    guard total >= 1_000 else { return }
    let whole = total / 1_000
    rest.wrappingSubtract(whole * 1_000, ordering: .relaxed)
    counter.add(whole)
  }

  /// One flag per thread: a thread that already measures for an app must not count the same time twice.
  private static var isMeasuring: Bool {
    get { pthread_getspecific(key) != nil }
    set { pthread_setspecific(key, newValue ? UnsafeRawPointer(bitPattern: 1) : nil) }
  }

  private static let key = makeKey()
  /// Holds the clock's reading itself: a pointer is as wide as it on every machine this runs on.
  private static let stampKey = makeKey()

  private static func makeKey() -> pthread_key_t {
    var key = pthread_key_t()
    let code = pthread_key_create(&key, nil)
    precondition(code == 0, "no thread-specific key: error \(code)")
    return key
  }
}
