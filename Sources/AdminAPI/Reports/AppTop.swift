// SPDX-License-Identifier: Apache-2.0

/// One app at one moment: its processes, its counters, and what holds it back. Two of them make rates.
public struct AppTop: Codable, Sendable, Equatable {
  public var stats: AppStats
  public var state: AppStatus.State
  public var uptimeSeconds: Double?
  /// What is in force.
  public var limits: LimitSummary
  public var budgets: [Budget]
  /// By pid. The sandbox's own processes of the app, which wait for the others, are among them.
  public var processes: [AppProcess]
  public var requestDurations: Durations

  public init(
    stats: AppStats, state: AppStatus.State, uptimeSeconds: Double?, limits: LimitSummary,
    budgets: [Budget], processes: [AppProcess], requestDurations: Durations
  ) {
    self.stats = stats
    self.state = state
    self.uptimeSeconds = uptimeSeconds
    self.limits = limits
    self.budgets = budgets
    self.processes = processes
    self.requestDurations = requestDurations
  }

  /// Durations of requests since the host started, counted into buckets.
  public struct Durations: Codable, Sendable, Equatable {
    /// Upper bounds; one more count than bounds: the last is of all.
    public var boundsSeconds: [Double]
    /// So many took at most the bound.
    public var counts: [Int64]
    public var sumSeconds: Double

    public init(boundsSeconds: [Double], counts: [Int64], sumSeconds: Double) {
      self.boundsSeconds = boundsSeconds
      self.counts = counts
      self.sumSeconds = sumSeconds
    }
  }
}

/// One process of an app.
public struct AppProcess: Codable, Sendable, Equatable {
  /// As the host's machine numbers it.
  public var pid: Int32
  public var parent: Int32
  /// `guest`, `sql` or `compile`: which sealed tree it belongs to.
  public var role: String
  /// Chosen by the process.
  public var name: String
  /// One letter, as in ps(1).
  public var state: String
  public var threads: Int
  /// Without what its ended children used.
  public var cpuSeconds: Double
  /// Resident; pages shared with others count in each.
  public var memoryBytes: UInt64
  /// With the pid it names one process for ever: kernel ticks from the machine's start to the process's.
  public var startTicks: UInt64

  public init(
    pid: Int32, parent: Int32, role: String, name: String, state: String, threads: Int,
    cpuSeconds: Double, memoryBytes: UInt64, startTicks: UInt64
  ) {
    self.pid = pid
    self.parent = parent
    self.role = role
    self.name = name
    self.state = state
    self.threads = threads
    self.cpuSeconds = cpuSeconds
    self.memoryBytes = memoryBytes
    self.startTicks = startTicks
  }
}
