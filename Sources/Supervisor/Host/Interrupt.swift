// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import Synchronization

/// SIGINT and SIGTERM as something to wait for. A second one ends the process at once.
final class Interrupt: Sendable {
  private struct State {
    var hasCome = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  // SAFETY: set once in the initialiser; Dispatch sources may be used from any thread.
  private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

  init() {
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      return DispatchSource.makeSignalSource(signal: number, queue: .global())
    }
    // A client or guest that hangs up shows as EPIPE, not as the end of the host.
    signal(SIGPIPE, SIG_IGN)
    for source in sources {
      source.setEventHandler { [weak self] in self?.came() }
      source.resume()
    }
  }

  private func came() {
    let (again, waiters) = state.withLock { state in
      defer {
        state.hasCome = true
        state.waiters = []
      }
      return (state.hasCome, state.waiters)
    }
    if again { exit(130) }
    for waiter in waiters { waiter.resume() }
  }

  /// Returns when a signal has come, or when the task is cancelled.
  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.hasCome || Task.isCancelled { return true }
          state.waiters.append(continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let waiters = state.withLock { state in
        defer { state.waiters = [] }
        return state.waiters
      }
      for waiter in waiters { waiter.resume() }
    }
  }
}
