// SPDX-License-Identifier: Apache-2.0

/// What holds an app back: sizes of its sandbox, and budgets per period.
public struct LimitReport: Codable, Sendable, Equatable {
  public var app: String
  /// What the manifest asks for.
  public var asked: LimitSummary
  /// What is in force.
  public var effective: LimitSummary
  public var budgets: [Budget]

  public init(app: String, asked: LimitSummary, effective: LimitSummary, budgets: [Budget]) {
    self.app = app
    self.asked = asked
    self.effective = effective
    self.budgets = budgets
  }
}

/// So much of a meter, or of money, in a period.
public struct Budget: Codable, Sendable, Equatable {
  public enum Period: String, Codable, Sendable, CaseIterable { case hour, day, month }
  public enum Action: String, Codable, Sendable, CaseIterable { case warn, throttle, stop }
  /// A meter's name, or `cost`.
  public var meter: String
  public var period: Period
  /// In the meter's unit; for `cost` in millionths of the currency's unit.
  public var max: Int64
  public var action: Action
  /// In this period so far; ignored when a budget is set.
  public var used: Int64?

  public init(meter: String, period: Period, max: Int64, action: Action, used: Int64? = nil) {
    self.meter = meter
    self.period = period
    self.max = max
    self.action = action
    self.used = used
  }
}

/// A change of an app's limits; what is nil stays.
public struct LimitChange: Codable, Sendable, Equatable {
  public var cpuCores: Double?
  public var memoryBytes: Int64?
  public var processes: Int?
  public var storageBytes: Int64?
  /// Back to what the manifest asks for.
  public var reset: Bool
  /// Added, or replacing the one of the same meter and period.
  public var budget: Budget?
  /// `meter/period` of a budget to remove.
  public var removeBudget: String?

  public init(
    cpuCores: Double? = nil, memoryBytes: Int64? = nil, processes: Int? = nil,
    storageBytes: Int64? = nil, reset: Bool = false, budget: Budget? = nil,
    removeBudget: String? = nil
  ) {
    self.cpuCores = cpuCores
    self.memoryBytes = memoryBytes
    self.processes = processes
    self.storageBytes = storageBytes
    self.reset = reset
    self.budget = budget
    self.removeBudget = removeBudget
  }
}
