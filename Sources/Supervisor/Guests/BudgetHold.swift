// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Meter
import NIOCore

/// What an app's budgets mean for its calls at the moment.
package enum BudgetHold: Sendable, Equatable {
  case none
  /// Only every so often is a call let through.
  case throttled(subject: String)
  /// The guest is stopped and calls are refused.
  case stopped(subject: String, untilSeconds: Int64)

  /// Calls a second that a throttled app still gets.
  package static let throttledCallsPerSecond = 1

  init(_ state: LimitState, _ cause: LimitStanding?) {
    switch (state, cause) {
    case (.throttled, let cause?): self = .throttled(subject: cause.limit.subject)
    case (.stopped, let cause?):
      self = .stopped(subject: cause.limit.subject, untilSeconds: cause.resetsAt.seconds)
    default: self = .none
    }
  }

  /// Why a call is refused, for the client.
  func refusal(nowSeconds: Int64) -> HostError? {
    switch self {
    case .none: return nil
    case .throttled(let subject):
      return HostError(
        .overloaded, "budget", "the app is slowed down: its budget for \(subject) is used up",
        data: [("retryAfter", 1)])
    case .stopped(let subject, let until):
      return HostError(
        .overloaded, "budget", "the app is stopped: its budget for \(subject) is used up",
        data: [("retryAfter", .int(max(1, until - nowSeconds)))])
    }
  }
}
