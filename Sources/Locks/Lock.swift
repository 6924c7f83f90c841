// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A value behind a pthread mutex, for code that runs inside the sandbox.
///
/// `Synchronization.Mutex` waits with FUTEX_LOCK_PI on Linux. The sandbox refuses priority-inheriting futexes (they
/// are a door of CVE-2026-43499), and the standard library then ends the process. A plain pthread mutex waits with
/// FUTEX_WAIT, which every profile allows. See docs/decisions/0004-priority-inheritance.md.
public final class Lock<Value>: @unchecked Sendable {
  // SAFETY: `value` is touched between lock and unlock only.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var value: Value

  public init(_ value: sending Value) {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    let code = pthread_mutex_init(mutex, nil)
    precondition(code == 0, "no mutex: error \(code)")
    self.value = value
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs `body` with the value, one caller at a time.
  public func withLock<Result, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value)
  }
}
