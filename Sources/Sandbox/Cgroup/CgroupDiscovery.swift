// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Finds the cgroups this process may divide among apps.
public enum CgroupDiscovery {
  /// - Parameter name: names the host: two hosts on one machine never sweep each other's apps.
  ///   `[A-Za-z0-9._-]`.
  public static func hierarchy(named name: String) -> any CgroupHierarchy {
    let mounts = parseMounts(KernelFile.read("/proc/self/mounts") ?? "")
    let own = parseOwn(KernelFile.read("/proc/self/cgroup") ?? "")
    if let v2 = mounts.unified, let own = own.unified, mounts.controllers.isEmpty {
      return delegated(v2: v2 + own, name: name)
    }
    let needed = ["cpu", "cpuacct", "memory", "pids"]
    if needed.allSatisfy({ mounts.controllers[$0] != nil }) {
      var roots: [String: String] = [:]
      for controller in needed {
        roots[controller] =
          place(mount: mounts.controllers[controller], own: own.controllers[controller])
          + "/bulkhead-" + name
      }
      let unified = mounts.unified.map { place(mount: $0, own: own.unified) + "/bulkhead-" + name }
      do {
        return try CgroupV1(roots: roots, unified: unified)
      } catch {
        return NoCgroups(
          reason: "cgroup v1 cannot be written (\(error.detail): \(errnoName(error.errno)))",
          fix: "run the host as root, or move this machine to cgroup v2 and delegate a subtree")
      }
    }
    return NoCgroups(reason: "no cgroup hierarchy with cpu, memory and pids is mounted")
  }

  /// v2: a directory beside the host's own; the host itself moves into a leaf, because a cgroup
  /// with processes cannot hand controllers to its children.
  private static func delegated(v2 base: String, name: String) -> any CgroupHierarchy {
    let own = trimmed(base)
    let advice = "start the host with 'Delegate=yes' (systemd-run --user --scope -p Delegate=yes …)"
    let host = CgroupDirectory(own.hasSuffix("/bulkhead-host") ? own : own + "/bulkhead-host")
    let parent = CgroupDirectory(String(host.path.dropLast("/bulkhead-host".count)))
    do {
      try host.make()
      try host.set("cgroup.procs", "\(getpid())")
      let offered = (parent.text("cgroup.controllers") ?? "").split(whereSeparator: \.isWhitespace)
      let wanted = ["cpu", "memory", "pids", "io"].filter { offered.contains(Substring($0)) }
      try parent.set("cgroup.subtree_control", wanted.map { "+" + $0 }.joined(separator: " "))
      return try CgroupV2(root: parent.child("bulkhead-" + name).path)
    } catch {
      // cgroups(7), the "no internal processes" rule: a login shell in the same cgroup is enough.
      let why = error.errno == EBUSY ? "; other processes are in the host's cgroup" : ""
      return NoCgroups(
        reason: "cgroup v2 is not delegated (\(error.detail): \(errnoName(error.errno))\(why))",
        fix: advice)
    }
  }

  /// This process's directory in one hierarchy. In a container the path of `/proc/self/cgroup` may
  /// belong to the outside while the mount already is its own place: then the mount point itself.
  private static func place(mount: String?, own: String?) -> String {
    let path = trimmed((mount ?? "") + (own ?? ""))
    return KernelFile.isDirectory(path) ? path : mount ?? ""
  }

  private static func trimmed(_ path: String) -> String {
    path.hasSuffix("/") ? String(path.dropLast()) : path
  }

  /// Mount points by controller, and the v2 one.
  package static func parseMounts(_ text: String) -> (
    controllers: [String: String], unified: String?
  ) {
    var controllers: [String: String] = [:]
    var unified: String?
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count >= 4 else { continue }
      if fields[2] == "cgroup2" { unified = String(fields[1]) }
      guard fields[2] == "cgroup" else { continue }
      for option in fields[3].split(separator: ",") {
        if ["cpu", "cpuacct", "memory", "pids", "blkio"].contains(option) {
          controllers[String(option)] = String(fields[1])
        }
      }
    }
    return (controllers, unified)
  }

  /// This process's place in each hierarchy, from `/proc/self/cgroup`.
  package static func parseOwn(_ text: String) -> (
    controllers: [String: String], unified: String?
  ) {
    var controllers: [String: String] = [:]
    var unified: String?
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[1].isEmpty { unified = String(fields[2]) }
      for controller in fields[1].split(separator: ",") {
        controllers[String(controller)] = String(fields[2])
      }
    }
    return (controllers, unified)
  }
}
