// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// What an app is doing, in the operator's words.
package enum RunnerState: String, Sendable {
  case stopped, disabled, starting, running, stopping, backoff
}

/// A runner's state as other threads may read it.
final class RunnerPublication: Sendable {
  struct Snapshot: Sendable {
    var state: RunnerState = .stopped
    /// When the state began; for `backoff`, when it ends.
    var since: NIODeadline?
    var pid: Int32?
    var restarts = 0
    var lastFailure: String?
  }

  private let snapshot = Mutex(Snapshot())

  var current: Snapshot { snapshot.withLock { $0 } }
  func set(_ new: Snapshot) { snapshot.withLock { $0 = new } }
}
