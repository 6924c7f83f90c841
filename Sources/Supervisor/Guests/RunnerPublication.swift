// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// What an app is doing, in the operator's words.
package enum RunnerState: String, Sendable {
  case stopped, disabled, starting, running, stopping, backoff
}

/// A runner's state as other threads may read it.
package final class RunnerPublication: Sendable {
  package struct Snapshot: Sendable {
    package var state: RunnerState = .stopped
    /// When the state began; for `backoff`, when it ends.
    package var since: NIODeadline?
    package var pid: Int32?
    package var restarts = 0
    package var lastFailure: String?
  }

  private let snapshot = Mutex(Snapshot())

  package var current: Snapshot { snapshot.withLock { $0 } }
  func set(_ new: Snapshot) { snapshot.withLock { $0 = new } }
}
