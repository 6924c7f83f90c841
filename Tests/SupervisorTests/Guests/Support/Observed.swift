// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A value that several threads change and a test waits for: no sleeping, no polling.
final class Observed<State: Sendable>: Sendable {
  private struct Waiter {
    var id: Int
    var isMet: @Sendable (State) -> Bool
    var continuation: CheckedContinuation<State, Never>
  }
  private struct Inner {
    var state: State
    var waiters: [Waiter] = []
    var nextID = 0
  }

  private let inner: Mutex<Inner>

  init(_ state: State) { inner = Mutex(Inner(state: state)) }

  var now: State { inner.withLock { $0.state } }

  func update<Result: Sendable>(_ change: (inout State) -> Result) -> Result {
    let (result, state, met) = inner.withLock { inner in
      let result = change(&inner.state)
      let state = inner.state
      let met = inner.waiters.filter { $0.isMet(state) }
      inner.waiters.removeAll { $0.isMet(state) }
      return (result, state, met)
    }
    for waiter in met { waiter.continuation.resume(returning: state) }
    return result
  }

  /// The state as soon as the condition holds, or whatever it is when the test's time limit cancels the wait.
  @discardableResult
  func until(_ isMet: @escaping @Sendable (State) -> Bool) async -> State {
    let id = inner.withLock { inner in
      inner.nextID += 1
      return inner.nextID
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let state = inner.withLock { inner -> State? in
          if isMet(inner.state) || Task.isCancelled { return inner.state }
          inner.waiters.append(Waiter(id: id, isMet: isMet, continuation: continuation))
          return nil
        }
        if let state { continuation.resume(returning: state) }
      }
    } onCancel: {
      let (given, state) = inner.withLock { inner in
        let given = inner.waiters.filter { $0.id == id }
        inner.waiters.removeAll { $0.id == id }
        return (given, inner.state)
      }
      for waiter in given { waiter.continuation.resume(returning: state) }
    }
  }
}
