// SPDX-License-Identifier: Apache-2.0

/// What a process tree or an app has used, as the kernel counts it.
public struct ResourceUsage: Sendable, Codable, Equatable {
  /// Where the figures come from.
  public enum Source: String, Sendable, Codable {
    case cgroupV2, cgroupV1
    /// `/proc` and `wait4`: no peak, and nothing of descendants that ended unreaped.
    case proc
  }

  public var source: Source
  public var userMicroseconds: UInt64 = 0
  public var systemMicroseconds: UInt64 = 0
  public var memoryBytes: UInt64 = 0
  /// Largest `memoryBytes` so far; 0 when the source keeps none.
  public var memoryPeakBytes: UInt64 = 0
  public var processes: UInt64 = 0
  /// Kills by the kernel because memory ran out.
  public var outOfMemoryKills: UInt64 = 0
  /// Forks refused because of the process bound.
  public var processLimitHits: UInt64 = 0
  /// Microseconds the app wanted to run and was held back by its CPU quota.
  public var throttledMicroseconds: UInt64 = 0

  public init(source: Source) { self.source = source }
  public var cpuMicroseconds: UInt64 { userMicroseconds + systemMicroseconds }

  /// The same with the CPU time of an earlier reading where that is larger: `/proc` and `wait4` forget who was not
  /// reaped, and a counter that goes back would be taken for a new one.
  package func neverBelow(_ earlier: ResourceUsage?) -> ResourceUsage {
    var usage = self
    usage.userMicroseconds = max(userMicroseconds, earlier?.userMicroseconds ?? 0)
    usage.systemMicroseconds = max(systemMicroseconds, earlier?.systemMicroseconds ?? 0)
    return usage
  }
}
