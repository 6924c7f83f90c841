// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import Synchronization

/// One long-lived thread that starts launchers and hears from them (epoll; nothing is polled).
///
/// It lives as long as the host: the kernel ties a child's parent-death signal to the thread that
/// started it, so no short-lived thread may start one.
final class Reactor: Sendable {
  typealias Job = @Sendable () -> Void
  typealias Handler = @Sendable (_ events: UInt32) -> Void

  private struct State {
    var handlers: [Int32: Handler] = [:]
    var jobs: [Job] = []
    var timers: [(due: UInt64, job: Job)] = []
    var isStopped = false
  }

  private let state = Mutex(State())
  private let epoll: Int32
  private let wakeup: Int32

  init() throws(SandboxError) {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    wakeup = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    guard epoll >= 0, wakeup >= 0 else { throw SandboxError(.spawn, errno: errno, "epoll") }
    var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: wakeup))
    epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup, &event)
    var thread = pthread_t()
    let this = Unmanaged.passRetained(self)
    let error = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Reactor>.fromOpaque(argument).takeRetainedValue().loop()
        return nil
      }, this.toOpaque())
    guard error == 0 else {
      this.release()
      throw SandboxError(.spawn, errno: error, "pthread_create")
    }
    pthread_detach(thread)
  }

  /// Ends the thread after the jobs given so far; descriptors watched are left to their owners.
  func stop() {
    state.withLock { $0.isStopped = true }
    wake()
  }

  /// Runs the job on the thread, in order.
  func run(_ job: @escaping Job) {
    state.withLock { $0.jobs.append(job) }
    wake()
  }

  /// Runs the job on the thread, not before `milliseconds` have passed.
  func run(after milliseconds: UInt64, _ job: @escaping Job) {
    let due = Self.now() + milliseconds
    state.withLock { $0.timers.append((due, job)) }
    wake()
  }

  func watch(_ descriptor: Int32, _ handler: @escaping Handler) {
    state.withLock { $0.handlers[descriptor] = handler }
    var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: descriptor))
    epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)
  }

  /// Must precede closing the descriptor.
  func unwatch(_ descriptor: Int32) {
    var ignored = epoll_event()
    epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &ignored)
    _ = state.withLock { $0.handlers.removeValue(forKey: descriptor) }
  }

  private func wake() {
    var one: UInt64 = 1
    _ = write(wakeup, &one, 8)
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
  }

  private func loop() {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while true {
      let count = epoll_wait(epoll, &events, Int32(events.count), timeout())
      for index in 0..<max(0, Int(count)) {
        let descriptor = events[index].data.fd
        if descriptor == wakeup {
          var value: UInt64 = 0
          _ = read(wakeup, &value, 8)
        } else if let handler = state.withLock({ $0.handlers[descriptor] }) {
          handler(events[index].events)
        }
      }
      for job in dueJobs() { job() }
      if state.withLock({ $0.isStopped && $0.jobs.isEmpty }) { break }
    }
    close(epoll)
    close(wakeup)
  }

  /// Milliseconds until the next timer, -1 without one.
  private func timeout() -> Int32 {
    state.withLock { state in
      if !state.jobs.isEmpty || state.isStopped { return 0 }
      guard let next = state.timers.map(\.due).min() else { return -1 }
      let now = Self.now()
      return next <= now ? 0 : Int32(min(next - now, 60_000))
    }
  }

  private func dueJobs() -> [Job] {
    let now = Self.now()
    return state.withLock { state in
      var due = state.jobs
      state.jobs = []
      due += state.timers.filter { $0.due <= now }.map(\.job)
      state.timers.removeAll { $0.due <= now }
      return due
    }
  }
}
