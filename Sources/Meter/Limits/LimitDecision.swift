// SPDX-License-Identifier: Apache-2.0

/// How near an app is to a limit, and what follows. Ordered: later is stronger.
public enum LimitState: Int, Sendable, Comparable, CaseIterable {
  case clear, warned, throttled, stopped

  public static func < (left: LimitState, right: LimitState) -> Bool {
    left.rawValue < right.rawValue
  }

  /// The rule. A limit that is reached does what it says; one that is nearly reached warns.
  public static func decide(_ limit: AppLimit, used: Int64) -> LimitState {
    if used >= limit.amount {
      return switch limit.action {
      case .warn: .warned
      case .throttle: .throttled
      case .stop: .stopped
      }
    }
    let nearly = Int128(used) * 100 >= Int128(limit.amount) * Int128(limit.warnPercent)
    return nearly ? .warned : .clear
  }

  /// The event of reaching this state.
  var event: MeterEvent.Kind {
    switch self {
    case .clear: .limitCleared
    case .warned: .limitWarned
    case .throttled: .limitThrottled
    case .stopped: .limitStopped
    }
  }
}

/// Where an app stands with one limit, as of the last tick.
public struct LimitStanding: Sendable, Equatable {
  public var limit: AppLimit
  public var unit: MeterUnit
  public var periodStart: WallTime
  /// When the count begins again.
  public var resetsAt: WallTime
  /// What was used in the period, more than the amount included.
  public var used: Int64
  /// Held by reservations that are not settled.
  public var reserved: Int64
  public var state: LimitState

  /// What is neither used nor reserved.
  public var remaining: Int64 { max(0, limit.amount - used - reserved) }
}
