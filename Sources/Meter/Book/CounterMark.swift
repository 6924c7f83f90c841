// SPDX-License-Identifier: Apache-2.0

/// The last reading of one origin: what was counted already. Kept on disk with the lines it led to,
/// in one transaction, so that no restart counts anything twice.
struct CounterMark: Sendable, Equatable {
  var app: String
  var source: SampleSource
  var cpuUser: Int64 = 0
  var cpuSystem: Int64 = 0
  var oomKills: Int64 = 0
  var processLimitHits: Int64 = 0
  var memoryPeak: Int64 = 0
  /// Memory at the reading and when it was, for memory over time. Not kept across restarts: nobody
  /// saw the memory in between.
  var memoryBytes: Int64 = 0
  var processes: Int64 = 0
  var readAt: Nanoseconds?

  /// What a total rose by. A total that fell either began anew at zero (cgroup), and then all it
  /// shows is new, or lost a process that nobody waited for (/proc), and then only growth from here
  /// on is known to be new.
  static func rise(from old: Int64, to new: Int64, startsAtZero: Bool) -> (Int64, wentBack: Bool) {
    if new >= old { return (new - old, false) }
    return (startsAtZero ? new : 0, true)
  }
}
