// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// Cgroup v2 with the controllers delegated to the host's own directory.
public final class CgroupV2: CgroupHierarchy {
  /// Below this: one directory per app, `app-<id>`.
  let root: CgroupDirectory
  private let known = Mutex<[String: Limits]>([:])
  private let readers = CgroupReaders()
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
    if !root.exists {
      try root.make()
      try root.set("cgroup.subtree_control", controllers)
    }
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
    try directory.set("pids.max", "\(limits.processes + Limits.ownProcesses)")
    known.withLock { $0[app] = limits }
  }

  public func makeLeaf(app: String, instance: String) throws(SandboxError) -> CgroupPlacement {
    do {
      return try placeLeaf(app: app, instance: instance)
    } catch  where error.errno == ENOENT {
      // Someone removed the app's directory: what is known of it no longer holds.
      guard let limits = known.withLock({ $0.removeValue(forKey: app) }) else { throw error }
      try prepare(app: app, limits)
      return try placeLeaf(app: app, instance: instance)
    }
  }

  private func placeLeaf(app: String, instance: String) throws(SandboxError) -> CgroupPlacement {
    let leaf = leaf(app, instance)
    try leaf.make()
    // A guest that loses a process to the bound is not half a guest: all of the leaf goes.
    leaf.setIfPresent("memory.oom.group", "1")
    if let limits = known.withLock({ $0[app] }) {
      try leaf.set("pids.max", "\(limits.processes + Limits.ownProcessesOfCell)")
    }
    return CgroupPlacement(
      into: leaf.path, removes: [leaf.path], parents: [directory(app).path, root.path])
  }

  public func usage(app: String, instance: String) -> ResourceUsage? {
    usage("\(app)/\(instance)", leaf(app, instance))
  }

  public func usage(app: String) -> ResourceUsage? { usage(app, directory(app)) }

  /// What is read of each, in this order.
  private static let files = [
    "cpu.stat", "memory.current", "memory.peak", "pids.current", "memory.events", "pids.events",
  ]

  private func usage(_ name: String, _ directory: CgroupDirectory) -> ResourceUsage? {
    let reader = readers.reader(name) { Self.files.map { directory.path + "/" + $0 } }
    // ENODEV: the cgroup is gone.
    guard let reader, let user = reader.field(0, "user_usec") else { return nil }
    var usage = ResourceUsage(source: .cgroupV2)
    usage.userMicroseconds = user
    usage.systemMicroseconds = reader.field(0, "system_usec") ?? 0
    usage.throttledMicroseconds = reader.field(0, "throttled_usec") ?? 0
    usage.memoryBytes = reader.number(1) ?? 0
    usage.memoryPeakBytes = reader.number(2) ?? 0
    usage.processes = reader.number(3) ?? 0
    usage.outOfMemoryKills = reader.field(4, "oom_kill") ?? 0
    usage.processLimitHits = reader.field(5, "max") ?? 0
    return usage
  }

  public func processes(app: String, instance: String) -> [Int32]? { leaf(app, instance).pids }

  public func processLimitHits(app: String) -> UInt64 {
    directory(app).fields("pids.events")["max"] ?? 0
  }

  public func kill(app: String, instance: String) -> Bool {
    leaf(app, instance).setIfPresent("cgroup.kill", "1")
  }

  public func removeLeaf(app: String, instance: String) -> Bool {
    readers.forget("\(app)/\(instance)")
    return leaf(app, instance).remove()
  }

  public func remove(app: String) {
    known.withLock { $0[app] = nil }
    readers.forget(app)
    _ = directory(app).remove()
    // Goes with the last app; refused as long as there is another.
    _ = root.remove()
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
