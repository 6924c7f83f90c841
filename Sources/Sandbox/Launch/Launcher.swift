// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Starts sealed processes. The only thing here that starts a process.
public final class Launcher: Sendable {
  public let facts: HostFacts
  public let cgroups: any CgroupHierarchy
  let launcherPath: String
  let mark: String
  let reactor: Reactor

  /// - Parameters:
  ///   - launcherPath: the `SandboxLaunch` executable.
  ///   - cgroups: from ``CgroupDiscovery/hierarchy(named:)``.
  ///   - facts: from ``KernelProbe/probe(launcherPath:cgroups:)``.
  ///   - name: names this host among others on the machine, as for the cgroups.
  public init(
    launcherPath: String, cgroups: any CgroupHierarchy, facts: HostFacts, name: String = "default"
  ) throws(SandboxError) {
    guard access(launcherPath, X_OK) == 0 else {
      throw SandboxError(.spawn, errno: errno, launcherPath)
    }
    self.launcherPath = launcherPath
    self.cgroups = cgroups
    self.facts = facts
    mark = "bulkhead-" + name
    reactor = try Reactor()
  }

  deinit { reactor.stop() }

  /// Builds the cell and starts the command in it; returns when it runs.
  ///
  /// - Throws: ``SandboxError`` with the step that failed; then nothing is left of the launch.
  public func launch(
    _ policy: SandboxPolicy, _ descriptors: LaunchDescriptors = LaunchDescriptors()
  ) async throws(SandboxError) -> SandboxedProcess {
    try descriptors.validate()
    let passed = descriptors.all
    let plan = try prepare(policy, descriptors: passed.map { UInt32($0.inside) })
    let cell = try await spawn(policy, plan.cell)
    let error = cell.start(plan.start, passed.map(\.host))
    // A monitor that already failed has said so on the other socket: that is the better error.
    if error != 0 && error != EPIPE && error != ECONNRESET {
      cell.kill()
      _ = await cell.waitForExit()
      throw SandboxError(.spawn, errno: error, "handing over the command")
    }
    reactor.run(after: Self.startMillisecondsMax) { cell.deadlinePassed() }
    switch await cell.waitForStart() {
    case .success: return SandboxedProcess(policy: policy, cell: cell)
    case .failure(let error):
      _ = await cell.waitForExit()
      throw error
    }
  }

  /// LIMIT: a cell that takes longer (a hung network file system below a bind) is given up.
  static let startMillisecondsMax: UInt64 = 10_000

  /// Usage of all processes of an app together; nil where there is no cgroup.
  public func usage(ofApp appID: String) -> ResourceUsage? { cgroups.usage(app: appID) }

  /// Forgets an uninstalled app; its processes must be over.
  public func forget(app appID: String) { cgroups.remove(app: appID) }

  /// Kills and removes what an earlier host of the same name left behind. Call before the first
  /// launch. Returns what was found, for the log.
  public func sweep() -> [String] {
    LeftoverProcesses.sweep(mark: mark) + cgroups.sweep()
  }

  // MARK: -

  private func prepare(_ policy: SandboxPolicy, descriptors: [UInt32]) throws(SandboxError)
    -> LaunchPlan
  {
    try policy.validate()
    if let refusal = facts.refusals(allowing: policy.allowWeaker).first {
      throw SandboxError(
        .requiredLayer, "\(refusal.layer.rawValue): \(refusal.reason); run 'bulkhead doctor'")
    }
    if facts.isPrivileged && policy.uid == nil {
      throw SandboxError(.policy, errno: EINVAL, "as root every app needs a uid of its own")
    }
    let sources = try policy.binds.map { bind throws(SandboxError) in try Self.resolved(bind) }
    try cgroups.prepare(app: policy.appID, policy.limits)
    let placement = try cgroups.makeLeaf(app: policy.appID, instance: policy.instance)
    do {
      return try LaunchPlan(
        policy, facts: facts, sources: sources, placement: placement, descriptors: descriptors,
        filter: policy.allowWeaker.contains(.seccomp) ? nil : FilterCache.program(policy.profile))
    } catch {
      _ = cgroups.removeLeaf(app: policy.appID, instance: policy.instance)
      throw error
    }
  }

  func spawn(_ policy: SandboxPolicy, _ plan: CellPlan) async throws(SandboxError) -> Cell {
    let context = Cell.Context(
      appID: policy.appID, instance: policy.instance, cgroups: cgroups, plan: plan)
    let result: Result<Cell, SandboxError> = await withCheckedContinuation { continuation in
      reactor.run { [launcherPath, mark, reactor] in
        do throws(SandboxError) {
          continuation.resume(
            returning: .success(
              try Cell(
                launcherPath: launcherPath, mark: mark, context: context, reactor: reactor)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    do {
      return try result.get()
    } catch {
      _ = cgroups.removeLeaf(app: policy.appID, instance: policy.instance)
      throw error
    }
  }

  private static func resolved(_ bind: Bind) throws(SandboxError) -> ResolvedBind {
    switch resolve(bind.source) {
    case .failure(let error):
      throw SandboxError(.bindSource, errno: error.number, "\(bind.source) at \(bind.path)")
    case .success(let source):
      return ResolvedBind(
        bind: bind, source: source, isDirectory: KernelFile.isDirectory(source))
    }
  }
}

/// Compiled once per profile and process.
enum FilterCache {
  private static let standard = SyscallFilter(profile: .standard).compiled()
  private static let native = SyscallFilter(profile: .native).compiled()

  static func program(_ profile: SandboxPolicy.Profile) -> [FilterInstruction] {
    switch profile {
    case .standard: standard
    case .native: native
    }
  }
}
