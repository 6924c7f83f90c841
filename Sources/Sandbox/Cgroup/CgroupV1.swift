// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// Cgroup v1, alone or beside an empty v2 tree (hybrid): limits and figures from v1, birth place
/// and kill from v2 where it is there.
public final class CgroupV1: CgroupHierarchy {
  /// Controller → the host's directory in its hierarchy. `cpu`, `cpuacct`, `memory`, `pids`.
  let roots: [String: CgroupDirectory]
  let unified: CgroupDirectory?
  public let reports: [LayerReport]
  private let known = Mutex<[String: Limits]>([:])
  private let readers = CgroupReaders()

  public init(roots: [String: String], unified: String?) throws(SandboxError) {
    var made: [String: CgroupDirectory] = [:]
    for (controller, path) in roots {
      made[controller] = CgroupDirectory(path)
      try CgroupDirectory(path).make()
    }
    for needed in ["cpu", "cpuacct", "memory", "pids"] where made[needed] == nil {
      throw SandboxError(.cgroup, errno: ENODEV, "controller \(needed) is not mounted")
    }
    self.roots = made
    self.unified = unified.map { CgroupDirectory($0) }
    try self.unified?.make()
    let hybrid = self.unified.map { KernelFile.exists($0.path + "/cgroup.kill") } ?? false
    reports = [
      LayerReport(
        .cgroup, .active, "cgroup v1: \(made.keys.sorted().joined(separator: ", "))",
        fix: nil),
      hybrid
        ? LayerReport(.cgroupKill, .active, "cgroup.kill of the v2 tree beside v1")
        : LayerReport(
          .cgroupKill, .weaker, "v1 has no cgroup.kill: the pid namespace ends the processes"),
    ]
  }

  public var source: ResourceUsage.Source { .cgroupV1 }

  /// Distinct directories: `cpu` and `cpuacct` are often one mount.
  private var all: [CgroupDirectory] {
    var seen: Set<String> = []
    return roots.sorted { $0.key < $1.key }.map(\.value).filter { seen.insert($0.path).inserted }
  }

  private func directory(_ controller: String, _ app: String) -> CgroupDirectory {
    (roots[controller] ?? CgroupDirectory("/nonexistent")).child("app-" + app)
  }

  public func prepare(app: String, _ limits: Limits) throws(SandboxError) {
    if known.withLock({ $0[app] }) == limits { return }
    for root in (unified.map { [$0] } ?? []) + all {
      try root.make()
      try root.child("app-" + app).make()
    }
    let memory = directory("memory", app)
    memory.setIfPresent("memory.use_hierarchy", "1")
    // The bound with swap can never be below the one without: which to move first depends on the
    // direction, so memory is tried again after swap.
    memory.setIfPresent("memory.limit_in_bytes", "\(limits.memoryBytes)")
    memory.setIfPresent(
      "memory.memsw.limit_in_bytes", "\(limits.memoryBytes &+ limits.swapBytes)")
    try memory.set("memory.limit_in_bytes", "\(limits.memoryBytes)")
    if limits.swapBytes == 0 { memory.setIfPresent("memory.swappiness", "0") }
    let cpu = directory("cpu", app)
    let period: UInt64 = 100_000
    try cpu.set("cpu.cfs_period_us", "\(period)")
    try cpu.set("cpu.cfs_quota_us", "\(max(1000, UInt64(limits.cpuCores * Double(period))))")
    // v1 counts shares from 2 with 1,024 as the equal one; v2's weight has 100.
    cpu.setIfPresent("cpu.shares", "\(max(2, UInt64(limits.cpuWeight) * 1024 / 100))")
    try directory("pids", app).set("pids.max", "\(limits.processes + Limits.ownProcesses)")
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
    var placement = CgroupPlacement()
    if let leaf = unified?.child("app-" + app).child("run-" + instance) {
      try leaf.make()
      placement.into = leaf.path
      placement.removes.append(leaf.path)
    }
    for root in all {
      let leaf = root.child("app-" + app).child("run-" + instance)
      try leaf.make()
      placement.joins.append(leaf.path + "/cgroup.procs")
      placement.removes.append(leaf.path)
    }
    if let limits = known.withLock({ $0[app] }) {
      try directory("pids", app).child("run-" + instance)
        .set("pids.max", "\(limits.processes + Limits.ownProcessesOfCell)")
    }
    let roots = (unified.map { [$0] } ?? []) + all
    placement.parents = roots.map { $0.child("app-" + app).path } + roots.map(\.path)
    return placement
  }

  public func usage(app: String, instance: String) -> ResourceUsage? {
    usage("\(app)/\(instance)") { directory($0, app).child("run-" + instance) }
  }

  public func usage(app: String) -> ResourceUsage? { usage(app) { directory($0, app) } }

  public func processes(app: String, instance: String) -> [Int32]? {
    directory("pids", app).child("run-" + instance).pids
  }

  /// What is read of each, in this order.
  private static let files = [
    ("cpuacct", "cpuacct.usage"), ("cpuacct", "cpuacct.usage_user"), ("cpu", "cpu.stat"),
    ("memory", "memory.usage_in_bytes"), ("memory", "memory.max_usage_in_bytes"),
    ("memory", "memory.oom_control"), ("pids", "pids.current"), ("pids", "pids.events"),
  ]

  private func usage(_ name: String, _ directory: (String) -> CgroupDirectory) -> ResourceUsage? {
    let reader = readers.reader(name) {
      Self.files.map { controller, file in directory(controller).path + "/" + file }
    }
    // In nanoseconds; cpuacct.stat, in ticks, would be too coarse. ENODEV: the cgroup is gone.
    guard let reader, let total = reader.number(0) else { return nil }
    var usage = ResourceUsage(source: .cgroupV1)
    (usage.userMicroseconds, usage.systemMicroseconds) = reader.split(
      total: total / 1000, user: (reader.number(1) ?? 0) / 1000)
    usage.throttledMicroseconds = (reader.field(2, "throttled_time") ?? 0) / 1000
    usage.memoryBytes = reader.number(3) ?? 0
    usage.memoryPeakBytes = reader.number(4) ?? 0
    usage.outOfMemoryKills = reader.field(5, "oom_kill") ?? 0
    usage.processes = reader.number(6) ?? 0
    usage.processLimitHits = reader.field(7, "max") ?? 0
    return usage
  }

  public func processLimitHits(app: String) -> UInt64 {
    directory("pids", app).fields("pids.events")["max"] ?? 0
  }

  public func kill(app: String, instance: String) -> Bool {
    unified?.child("app-" + app).child("run-" + instance).setIfPresent("cgroup.kill", "1") ?? false
  }

  public func removeLeaf(app: String, instance: String) -> Bool {
    readers.forget("\(app)/\(instance)")
    return ((unified.map { [$0] } ?? []) + all)
      .map { $0.child("app-" + app).child("run-" + instance).remove() }
      .allSatisfy { $0 }
  }

  public func remove(app: String) {
    known.withLock { $0[app] = nil }
    readers.forget(app)
    for root in (unified.map { [$0] } ?? []) + all {
      _ = root.child("app-" + app).remove()
      // Goes with the last app; refused as long as there is another.
      _ = root.remove()
    }
  }

  public func sweep() -> [String] {
    ((unified.map { [$0] } ?? []) + all).flatMap { sweepTree($0) }
  }
}
