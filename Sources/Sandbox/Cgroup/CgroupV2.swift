// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// Cgroup v2 with the controllers delegated to the host's own directory.
public final class CgroupV2: CgroupHierarchy {
  /// Below this: one directory per app, `app-<id>`.
  let root: CgroupDirectory
  private let known = Mutex<[String: Limits]>([:])
  /// What is handed down: "+cpu +memory +pids", and +io where there is.
  private let controllers: String
  public let reports: [LayerReport]

  /// - Parameter root: an existing, empty directory whose parent hands down cpu, memory and pids.
  public init(root: String) throws(SandboxError) {
    self.root = CgroupDirectory(root)
    try self.root.make()
    let offered = Set(
      (self.root.text("cgroup.controllers") ?? "").split(whereSeparator: \.isWhitespace))
    let wanted = ["cpu", "memory", "pids", "io"].filter { offered.contains(Substring($0)) }
    for needed in ["cpu", "memory", "pids"] where !wanted.contains(needed) {
      throw SandboxError(.cgroup, errno: ENODEV, "controller \(needed) is not delegated to \(root)")
    }
    controllers = wanted.map { "+" + $0 }.joined(separator: " ")
    try self.root.set("cgroup.subtree_control", controllers)
    let kill = KernelFile.exists(root + "/cgroup.kill")
    reports = [
      LayerReport(.cgroup, .active, "cgroup v2 at \(root) with \(wanted.joined(separator: ", "))"),
      kill
        ? LayerReport(.cgroupKill, .active, "cgroup.kill is there")
        : LayerReport(.cgroupKill, .weaker, "this kernel has no cgroup.kill (needs 5.14)"),
    ]
  }

  public var source: ResourceUsage.Source { .cgroupV2 }

  private func directory(_ app: String) -> CgroupDirectory { root.child("app-" + app) }
  private func leaf(_ app: String, _ instance: String) -> CgroupDirectory {
    directory(app).child("run-" + instance)
  }

  public func prepare(app: String, _ limits: Limits) throws(SandboxError) {
    if known.withLock({ $0[app] }) == limits { return }
    let directory = directory(app)
    try directory.make()
    try directory.set("cgroup.subtree_control", controllers)
    try directory.set("memory.max", "\(limits.memoryBytes)")
    directory.setIfPresent("memory.swap.max", "\(limits.swapBytes)")
    let period: UInt64 = 100_000
    let quota = max(1000, UInt64(limits.cpuCores * Double(period)))
    try directory.set("cpu.max", "\(quota) \(period)")
    try directory.set("cpu.weight", "\(limits.cpuWeight)")
    // Where the io controller is handed down: a share of the disk under contention, as for the cpu.
    directory.setIfPresent("io.weight", "default \(limits.cpuWeight)")
    // One more per process of the app than the app may have: pid 1 of each cell counts too.
    try directory.set("pids.max", "\(limits.processes + 2)")
    known.withLock { $0[app] = limits }
  }

  public func makeLeaf(app: String, instance: String) throws(SandboxError) -> CgroupPlacement {
    let leaf = leaf(app, instance)
    try leaf.make()
    // A guest that loses a process to the bound is not half a guest: all of the leaf goes.
    leaf.setIfPresent("memory.oom.group", "1")
    return CgroupPlacement(into: leaf.path, removes: [leaf.path])
  }

  public func usage(app: String, instance: String) -> ResourceUsage? { usage(leaf(app, instance)) }
  public func usage(app: String) -> ResourceUsage? { usage(directory(app)) }

  private func usage(_ directory: CgroupDirectory) -> ResourceUsage? {
    guard let cpu = directory.text("cpu.stat").map(CgroupDirectory.fields(of:)) else { return nil }
    var usage = ResourceUsage(source: .cgroupV2)
    usage.userMicroseconds = cpu["user_usec"] ?? 0
    usage.systemMicroseconds = cpu["system_usec"] ?? 0
    usage.throttledMicroseconds = cpu["throttled_usec"] ?? 0
    usage.memoryBytes = directory.number("memory.current") ?? 0
    usage.memoryPeakBytes = directory.number("memory.peak") ?? 0
    usage.processes = directory.number("pids.current") ?? 0
    usage.outOfMemoryKills = directory.fields("memory.events")["oom_kill"] ?? 0
    usage.processLimitHits = directory.fields("pids.events")["max"] ?? 0
    return usage
  }

  public func processLimitHits(app: String) -> UInt64 {
    directory(app).fields("pids.events")["max"] ?? 0
  }

  public func kill(app: String, instance: String) -> Bool {
    leaf(app, instance).setIfPresent("cgroup.kill", "1")
  }

  public func removeLeaf(app: String, instance: String) -> Bool { leaf(app, instance).remove() }

  public func remove(app: String) {
    known.withLock { $0[app] = nil }
    _ = directory(app).remove()
  }

  public func sweep() -> [String] { sweepTree(root) }
}

/// Kills what is left below `root` and removes it, leaves first. Names what it found.
func sweepTree(_ root: CgroupDirectory) -> [String] {
  var swept: [String] = []
  for app in KernelFile.directories(in: root.path) where app.hasPrefix("app-") {
    let directory = root.child(app)
    for instance in KernelFile.directories(in: directory.path) {
      let leaf = directory.child(instance)
      let pids = leaf.pids
      leaf.setIfPresent("cgroup.kill", "1")
      for pid in pids { Glibc.kill(pid, SIGKILL) }
      // LIMIT: one second per leaf; a process in the kernel's hands can take a moment to go.
      for _ in 0..<200 where !leaf.remove() { usleep(5000) }
      swept.append("cgroup \(leaf.path)" + (pids.isEmpty ? "" : " with \(pids.count) processes"))
    }
    if !directory.remove() { swept.append("cgroup \(directory.path) could not be removed") }
  }
  return swept
}
