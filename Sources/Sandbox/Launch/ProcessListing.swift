// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One process of a sealed tree, as `/proc/PID/stat` has it (proc(5)).
public struct ProcessFigures: Sendable, Equatable {
  /// As the host sees it.
  public var pid: Int32
  public var parent: Int32
  /// At most 15 bytes, of the process's own choice: not fit for a terminal as it is.
  public var name: String
  /// One letter: R runs, S sleeps, D waits for a disk, Z has ended.
  public var state: String
  public var threads: Int
  /// Its own, without that of children it waited for. In ticks of 10 ms.
  public var userMicroseconds: UInt64
  public var systemMicroseconds: UInt64
  /// Resident pages, shared ones included.
  public var residentBytes: UInt64
  /// Ticks from the start of the machine to that of the process: with the pid it names one process for ever.
  public var startTicks: UInt64
}

extension ProcessTree {
  /// LIMIT: 4,096 processes; more cannot be inside (``Limits/processes``).
  static let listedMax = 4096

  /// Those of `pids` that are still there, by pid.
  static func list(_ pids: [pid_t]) -> [ProcessFigures] {
    pids.sorted().prefix(listedMax).compactMap { pid in
      KernelFile.read("/proc/\(pid)/stat").flatMap { describe(pid: pid, stat: $0) }
    }
  }

  /// `root` and all below it.
  static func below(_ root: pid_t) -> [pid_t] {
    guard root > 0 else { return [] }
    var found: [pid_t] = []
    var queue = [root]
    while let pid = queue.popLast(), found.count < listedMax {
      found.append(pid)
      for task in KernelFile.names(in: "/proc/\(pid)/task") {
        let children = KernelFile.read("/proc/\(pid)/task/\(task)/children") ?? ""
        queue += children.split(separator: " ").compactMap { pid_t($0) }
      }
    }
    return found
  }

  /// The name is in parentheses and may hold anything, parentheses too: it ends at the last one.
  package static func describe(pid: Int32, stat: String) -> ProcessFigures? {
    guard let open = stat.firstIndex(of: "("), let close = stat.lastIndex(of: ")"), open < close
    else { return nil }
    let fields = stat[stat.index(after: close)...].split(separator: " ")
    guard fields.count > 21, let parent = Int32(fields[1]), let user = UInt64(fields[11]),
      let system = UInt64(fields[12]), let threads = Int(fields[17]),
      let started = UInt64(fields[19]), let pages = UInt64(fields[21])
    else { return nil }
    let tick = UInt64(1_000_000 / max(1, sysconf(Int32(_SC_CLK_TCK))))
    return ProcessFigures(
      pid: pid, parent: parent, name: String(stat[stat.index(after: open)..<close]),
      state: String(fields[0]), threads: threads, userMicroseconds: user * tick,
      systemMicroseconds: system * tick,
      residentBytes: pages * UInt64(max(1, sysconf(Int32(_SC_PAGESIZE)))), startTicks: started)
  }
}
