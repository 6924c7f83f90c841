// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc

/// Launchers of an earlier host. They end by themselves when it does; this is for one that could
/// not (stopped, or in the kernel's hands).
enum LeftoverProcesses {
  static func sweep(mark: String) -> [String] {
    let own = getpid()
    let wanted = "\(BH_LAUNCHER_NAME)\0\(mark)\0"
    var swept: [String] = []
    for name in KernelFile.names(in: "/proc") {
      guard let pid = pid_t(name), KernelFile.read("/proc/\(name)/cmdline") == wanted,
        parent(of: name) != own
      else { continue }
      if Glibc.kill(pid, SIGKILL) == 0 { swept.append("process \(pid)") }
    }
    return swept
  }

  private static func parent(of name: String) -> pid_t? {
    guard let stat = KernelFile.read("/proc/\(name)/stat"), let end = stat.lastIndex(of: ")") else {
      return nil
    }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    return fields.count > 1 ? pid_t(fields[1]) : nil
  }
}
