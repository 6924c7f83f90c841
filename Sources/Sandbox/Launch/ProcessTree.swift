// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A process and its descendants, from `/proc`.
package enum ProcessTree {
  /// Their figures, for hosts without a cgroup.
  static func usage(of root: pid_t) -> ResourceUsage {
    var usage = ResourceUsage(source: .proc)
    let tick = UInt64(1_000_000 / max(1, sysconf(Int32(_SC_CLK_TCK))))
    let page = UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
    for pid in members(of: root) {
      guard let stat = KernelFile.read("/proc/\(pid)/stat"), let figures = parse(stat: stat) else {
        continue
      }
      usage.userMicroseconds += figures.user * tick
      usage.systemMicroseconds += figures.system * tick
      usage.memoryBytes += figures.residentPages * page
      usage.processes += figures.threads
    }
    return usage
  }

  /// The process and all below it. LIMIT: 4,096 processes; more cannot be inside (``Limits/processes``).
  static func members(of root: pid_t) -> [pid_t] {
    guard root > 0 else { return [] }
    var members = [root]
    var next = 0
    while next < members.count, members.count < 4096 {
      let pid = members[next]
      next += 1
      for task in KernelFile.names(in: "/proc/\(pid)/task") {
        let children = KernelFile.read("/proc/\(pid)/task/\(task)/children") ?? ""
        members += children.split(separator: " ").compactMap { pid_t($0) }
      }
    }
    return members
  }

  package struct Figures: Equatable {
    package var user: UInt64
    package var system: UInt64
    package var threads: UInt64
    package var residentPages: UInt64
  }

  /// `/proc/<pid>/stat`: the name in parentheses may hold anything, so count from its end. Times
  /// include those of reaped children.
  package static func parse(stat: String) -> Figures? {
    guard let end = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    guard fields.count > 21, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
      let childUser = UInt64(fields[13]), let childSystem = UInt64(fields[14]),
      let threads = UInt64(fields[17]), let resident = UInt64(fields[21])
    else { return nil }
    return Figures(
      user: user + childUser, system: system + childSystem, threads: threads,
      residentPages: resident)
  }
}
