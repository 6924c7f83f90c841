// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import Synchronization

/// Tells once when a descriptor has something to read, without reading it: so that the host can hand a socket with a
/// first request already in it to a worker that does not exist yet. One thread, epoll(7), EPOLLONESHOT.
final class ReadinessWatcher: Sendable {
  private struct State {
    var callbacks: [UInt64: @Sendable () -> Void] = [:]
    var tokens: [Int32: UInt64] = [:]
    var next: UInt64 = 1
  }

  private let epoll: Int32
  private let state = Mutex(State())

  init() throws(DurableFile.Failure) {
    let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard descriptor >= 0 else {
      throw DurableFile.Failure(call: "epoll_create1", path: "", errno: errno)
    }
    epoll = descriptor
    HostThread.start(named: "readiness") { [self] in run() }
  }

  /// Calls back on the watcher's thread when `descriptor` is readable or closed. The descriptor must stay open until
  /// then, or until `forget`.
  func watch(_ descriptor: Int32, _ callback: @escaping @Sendable () -> Void) {
    let token = state.withLock { state in
      let token = state.next
      state.next += 1
      state.callbacks[token] = callback
      state.tokens[descriptor] = token
      return token
    }
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLONESHOT.rawValue
    event.data.u64 = token
    if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 { fire(token) }
  }

  /// After this the callback will not begin.
  func forget(_ descriptor: Int32) {
    state.withLock { state in
      if let token = state.tokens.removeValue(forKey: descriptor) { state.callbacks[token] = nil }
    }
    epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
  }

  private func fire(_ token: UInt64) {
    let callback = state.withLock { $0.callbacks.removeValue(forKey: token) }
    callback?()
  }

  private func run() {
    var events = [epoll_event](repeating: epoll_event(), count: 64)
    while true {
      let count = epoll_wait(epoll, &events, Int32(events.count), -1)
      for index in 0..<max(0, Int(count)) { fire(events[index].data.u64) }
    }
  }
}
