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

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let code = pthread_key_create(&key, nil)
    precondition(code == 0, "no thread-specific key: error \(code)")
    return key
  }()
}
