// SPDX-License-Identifier: Apache-2.0

/// Where a kernel figure was read. A report names it beside the figure.
public enum SampleSource: String, Sendable, Hashable, CaseIterable {
  /// The unified hierarchy: cpu.stat, memory.current, memory.peak, memory.events, pids.events.
  case cgroup2
  /// cpuacct, memory and pids controllers of version 1.
  case cgroup1
  /// The sum of /proc/PID/stat over the process tree: clock ticks, usually 10 ms each.
  case processTree = "proc"
  /// rusage of the reaped child and all it waited for.
  case wait4
  /// Counted by the host where the bytes or calls pass.
  case host

  /// Whether the figures come from cgroup counters, which start at zero when a group is created.
  var startsAtZero: Bool { self == .cgroup2 || self == .cgroup1 || self == .wait4 }
}

/// What the kernel says one guest has used since its counters began. Totals, not differences.
public struct ResourceSample: Sendable, Equatable {
  public var app: String
  /// Names one lifetime of the kernel's counters, unique for ever: for instance the cgroup's path,
  /// inode and creation time. All usage under a new origin is new usage; readings under an origin
  /// seen before, also by an earlier run of the host, count only from the last reading kept.
  public var origin: String
  public var source: SampleSource
  public var cpuUserMicroseconds: Int64
  public var cpuSystemMicroseconds: Int64
  public var memoryCurrentBytes: Int64?
  /// Highest the kernel saw since `origin` began; nil where it keeps none.
  public var memoryPeakBytes: Int64?
  public var oomKills: Int64
  /// How often the process limit refused a fork (`pids.events` max).
  public var processLimitHits: Int64
  public var processes: Int64?
  /// How long ago the origin began, if known: lets a guest that lived between two readings be charged
  /// for its memory.
  public var age: Nanoseconds?
  /// The last reading before the counters vanish (the guest ended): the origin is forgotten after.
  public var isFinal: Bool

  public init(
    app: String, origin: String, source: SampleSource, cpuUserMicroseconds: Int64,
    cpuSystemMicroseconds: Int64, memoryCurrentBytes: Int64? = nil, memoryPeakBytes: Int64? = nil,
    oomKills: Int64 = 0, processLimitHits: Int64 = 0, processes: Int64? = nil,
    age: Nanoseconds? = nil,
    isFinal: Bool = false
  ) {
    self.app = app
    self.origin = origin
    self.source = source
    self.cpuUserMicroseconds = cpuUserMicroseconds
    self.cpuSystemMicroseconds = cpuSystemMicroseconds
    self.memoryCurrentBytes = memoryCurrentBytes
    self.memoryPeakBytes = memoryPeakBytes
    self.oomKills = oomKills
    self.processLimitHits = processLimitHits
    self.processes = processes
    self.age = age
    self.isFinal = isFinal
  }
}
