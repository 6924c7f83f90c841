// SPDX-License-Identifier: Apache-2.0

/// Something an operator should be able to look up later. Stored with the lines, newest 10,000.
public struct MeterEvent: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// A kernel counter showed less than before under the same origin.
    case counterWentBack = "counter_went_back"
    /// The wall clock moved away from the monotonic one by more than two seconds.
    case clockJumped = "clock_jumped"
    /// Nothing was measured for a while.
    case gap
    /// An app used more labels for a meter than are kept apart.
    case labelsOverflowed = "labels_overflowed"
    /// An interval could not be written and was kept for the next.
    case tickFailed = "tick_failed"
    case outOfMemory = "oom"
    /// A guest reached its process limit.
    case processLimit = "process_limit"
    case limitWarned = "limit_warned"
    case limitThrottled = "limit_throttled"
    case limitStopped = "limit_stopped"
    case limitCleared = "limit_cleared"
    case limitChanged = "limit_changed"
    case pricesChanged = "prices_changed"
    /// The ledger refused or did not answer; the interval is posted again later, under the same ids.
    case ledgerBehind = "ledger_behind"
  }

  public var at: WallTime
  public var kind: Kind
  public var app: String?
  /// For people. Holds no path of the host.
  public var detail: String

  public init(at: WallTime, kind: Kind, app: String? = nil, detail: String) {
    self.at = at
    self.kind = kind
    self.app = app
    self.detail = detail
  }
}

/// A time in which nothing was measured.
public struct MeterGap: Sendable, Equatable {
  public enum Reason: String, Sendable {
    /// The host ended without closing its book: killed, crashed or lost power.
    case crash
    /// The host was stopped by its operator; no guest ran.
    case stopped
  }
  public var start: WallTime
  /// Exclusive.
  public var end: WallTime
  public var reason: Reason

  public init(start: WallTime, end: WallTime, reason: Reason) {
    self.start = start
    self.end = end
    self.reason = reason
  }
}
