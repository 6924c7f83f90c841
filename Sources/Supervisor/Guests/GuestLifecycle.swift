// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// When a guest is started, stopped and started again: a value that decides, so that no test needs a process.
package struct GuestLifecycle: Sendable, Equatable {
  package enum State: Sendable, Equatable {
    case stopped
    case starting(since: NIODeadline)
    case running(since: NIODeadline)
    /// `since`: when the shutdown was asked for; past the grace it is killed.
    case stopping(since: NIODeadline, startAgain: Bool)
    /// Crashed or failed to start; not started again before `until`.
    case backoff(until: NIODeadline)
  }

  package enum Event: Sendable {
    /// Somebody wants to call the guest.
    case demand
    case ready
    case startFailed
    case exited
    case stop
    case restart
    case tick
  }

  package enum Action: Sendable, Equatable {
    case launch
    /// Ask it to finish and exit.
    case shutdown
    case kill
    case none
  }

  package private(set) var state: State = .stopped
  /// Failures since the guest last stayed up for `calmAfter`.
  package private(set) var failures = 0
  package private(set) var restarts = 0
  package private(set) var startTimeout: TimeAmount
  /// From asking a guest to stop to killing it.
  package private(set) var stopGrace: TimeAmount

  package static let backoffFirst: TimeAmount = .milliseconds(200)
  package static let backoffMax: TimeAmount = .seconds(60)
  package static let calmAfter: TimeAmount = .seconds(60)

  package init(startTimeout: TimeAmount, stopGrace: TimeAmount = .seconds(5)) {
    self.startTimeout = startTimeout
    self.stopGrace = stopGrace
  }

  package mutating func handle(_ event: Event, now: NIODeadline, jitter: Double = 0) -> Action {
    switch (state, event) {
    case (.stopped, .demand), (.stopped, .restart):
      state = .starting(since: now)
      return .launch
    case (.backoff(let until), .demand) where now >= until:
      state = .starting(since: now)
      return .launch
    case (.backoff, .restart):
      failures = 0
      state = .starting(since: now)
      return .launch
    case (.backoff, .stop):
      failures = 0
      state = .stopped
      return .none
    case (.starting, .ready):
      state = .running(since: now)
      return .none
    case (.starting, .startFailed), (.starting, .exited):
      failed(now: now, jitter: jitter)
      return .none
    case (.starting(let since), .tick) where now - since > startTimeout:
      return .kill
    case (.starting, .stop), (.starting, .restart):
      state = .stopping(since: now, startAgain: isRestart(event))
      return .kill
    case (.running, .stop), (.running, .restart):
      state = .stopping(since: now, startAgain: isRestart(event))
      return .shutdown
    case (.running(let since), .exited):
      if now - since >= Self.calmAfter { failures = 0 }
      failed(now: now, jitter: jitter)
      return .none
    case (.stopping(let since, _), .demand):
      // Somebody came while an idle guest was on its way out: start it again after.
      state = .stopping(since: since, startAgain: true)
      return .none
    case (.stopping(let since, _), .stop):
      state = .stopping(since: since, startAgain: false)
      return .none
    case (.stopping(let since, _), .restart):
      state = .stopping(since: since, startAgain: true)
      return .none
    case (.stopping(_, let startAgain), .exited), (.stopping(_, let startAgain), .startFailed):
      failures = 0
      state = startAgain ? .starting(since: now) : .stopped
      return startAgain ? .launch : .none
    case (.stopping(let since, _), .tick) where now - since > stopGrace:
      return .kill
    default: return .none
    }
  }

  private func isRestart(_ event: Event) -> Bool {
    if case .restart = event { true } else { false }
  }

  /// 200 ms, then twice as long each time up to a minute, ± a tenth so that many apps do not start as one.
  private mutating func failed(now: NIODeadline, jitter: Double) {
    failures += 1
    restarts += 1
    let doubled = Self.backoffFirst.nanoseconds << Int64(min(failures - 1, 16))
    let capped = min(doubled, Self.backoffMax.nanoseconds)
    let spread = Int64(Double(capped) * 0.1 * jitter)
    state = .backoff(until: now + .nanoseconds(capped + spread))
  }

  package var isStartable: Bool {
    switch state {
    case .stopped, .backoff: true
    default: false
    }
  }

  /// The same state with other timeouts, when a new version is taken into use.
  package func with(startTimeout: TimeAmount, stopGrace: TimeAmount) -> GuestLifecycle {
    var copy = self
    copy.startTimeout = startTimeout
    copy.stopGrace = stopGrace
    return copy
  }
}
