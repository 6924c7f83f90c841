// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What one app holds on disk, by kind, against the one limit for all of it. Each broker notes what it holds and may use
/// what the others leave. Logs and code are the host's to bound, and do not count.
package final class StorageAccount: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// Pages of all databases; the worker says.
    case sqlite
    /// The data directory and objects, as last surveyed.
    case data, objects
    /// Secrets and keys: `state.sqlite`.
    case state
  }

  private struct State {
    var limit: Int64
    var held: [Kind: Int64] = [:]
  }

  private let state: Mutex<State>
  private let onChange = Mutex<(@Sendable () -> Void)?>(nil)

  /// - Parameter limit: bytes in all.
  package init(limit: Int64) { state = Mutex(State(limit: limit)) }

  /// Called after every change, on the thread that made it.
  package func observe(_ onChange: @escaping @Sendable () -> Void) {
    self.onChange.withLock { $0 = onChange }
    onChange()
  }

  package func set(limit: Int64) { change { $0.limit = limit } }

  package func note(_ kind: Kind, bytes: Int64) { change { $0.held[kind] = bytes } }

  private func change(_ body: (inout State) -> Void) {
    let isOther = state.withLock { state in
      let before = (state.limit, state.held)
      body(&state)
      return before != (state.limit, state.held)
    }
    if isOther { onChange.withLock { $0 }?() }
  }

  /// What one kind may hold in all: what the others leave of the limit, never below 0.
  package func share(of kind: Kind) -> Int64 {
    state.withLock { state in
      let others = state.held.reduce(Int64(0)) { $1.key == kind ? $0 : $0 + $1.value }
      return max(0, state.limit - others)
    }
  }
}
