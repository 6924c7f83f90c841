// SPDX-License-Identifier: Apache-2.0
import Locks

/// How much of a stream may still be sent. One task takes, the reading thread adds.
package final class StreamCredit: Sendable {
  private struct State {
    var left: Int
    var isStopped = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state: Lock<State>

  package init(_ bytes: Int) { state = Lock(State(left: bytes)) }

  package func add(_ bytes: Int) { wake { $0.left += bytes } }
  package func stop() { wake { $0.isStopped = true } }

  private func wake(_ change: (inout State) -> Void) {
    let waiter = state.withLock { state in
      change(&state)
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Waits until something may be sent. Zero when the receiver wants no more.
  package func take(atMost max: Int) async -> Int {
    while true {
      let taken = state.withLock { state -> Int? in
        if state.isStopped { return 0 }
        guard state.left > 0 else { return nil }
        let count = min(max, state.left)
        state.left -= count
        return count
      }
      if let taken { return taken }
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          guard state.left <= 0, !state.isStopped else { return true }
          state.waiter = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    }
  }
}
