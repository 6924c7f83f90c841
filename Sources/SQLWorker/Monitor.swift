// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A lock with one condition. Threads of this process wait on it; nothing here runs on the cooperative pool.
final class Monitor: @unchecked Sendable {
  // SAFETY: both live at fixed addresses from init to deinit and are made for use by many threads.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }

  /// Tries for about so long; for those who must not hang on a stuck owner.
  func lock(within milliseconds: Int) -> Bool {
    for _ in 0...milliseconds {
      if pthread_mutex_trylock(mutex) == 0 { return true }
      usleep(1_000)
    }
    return false
  }

  func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock()
    defer { unlock() }
    return try body()
  }

  /// With the lock held.
  func wait() { pthread_cond_wait(condition, mutex) }

  /// With the lock held; returns when signalled, at the time given, or for no reason at all.
  func wait(until deadline: UInt64) {
    var time = timespec(
      tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    pthread_cond_timedwait(condition, mutex, &time)
  }

  func signal() { pthread_cond_signal(condition) }
  func broadcast() { pthread_cond_broadcast(condition) }
}

/// Starts a thread that nobody waits for. False if the system has none to give.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  // SQLite recurses over expressions of at most 500 levels and JSON over 2,000; 1 MiB holds both with room.
  pthread_attr_setstacksize(&attributes, 1 << 20)
  var thread = pthread_t()
  let context = Unmanaged.passRetained(Start(body))
  let code = pthread_create(
    &thread, &attributes,
    { context in
      guard let context else { return nil }
      Unmanaged<Start>.fromOpaque(context).takeRetainedValue().body()
      return nil
    }, context.toOpaque())
  if code != 0 { context.release() }
  return code == 0
}
