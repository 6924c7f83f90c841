// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// Starts sealed processes. The only thing here that starts a process.
public final class Launcher: Sendable {
  public let facts: HostFacts
  public let cgroups: any CgroupHierarchy
  let launcherPath: String
  let mark: String
  let reactor: Reactor
  private let pool = CellPool()
  private let prepared = Atomic<Int>(0)

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
    Self.raiseDescriptorLimit()
  }

  /// Each cell costs the host about ten descriptors: three for its launcher, up to eight for its
  /// figures. The customary soft limit of 1,024 is for programs that use select().
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  deinit {
    for cell in pool.removeAll() { cell.kill() }
    reactor.stop()
  }

  /// Builds the cell and starts the command in it; returns when it runs.
  ///
  /// - Throws: ``SandboxError`` with the step that failed; then nothing is left of the launch.
  public func launch(
    _ policy: SandboxPolicy, _ descriptors: LaunchDescriptors = LaunchDescriptors()
  ) async throws(SandboxError) -> SandboxedProcess {
    try descriptors.validate()
    let passed = descriptors.all
    let draft = try draft(policy, descriptors: passed.map { UInt32($0.inside) })
    if let cell = pool.take(draft.key) {
      // One that died while it waited is no reason to fail: the next is built now.
      if case .success = await start(cell, draft.plan.start, passed) {
        return SandboxedProcess(policy: policy, cell: cell)
      }
      await cell.waitUntilGone()
    }
    let cell = try await build(draft, instance: policy.instance)
    switch await start(cell, draft.plan.start, passed) {
    case .success: return SandboxedProcess(policy: policy, cell: cell)
    case .failure(let error):
      await cell.waitUntilGone()
      throw error
    }
  }

  /// Builds a cell for this policy ahead of need. The next ``launch(_:_:)`` that needs an equal one
  /// takes it; it never serves another app, and never twice. The policy's instance, command,
  /// environment and descriptors may differ by then. At most ``CellPool/countMax`` wait; the oldest
  /// makes room. One that waits already is enough: then nothing is done.
  public func prepare(_ policy: SandboxPolicy) async throws(SandboxError) {
    let draft = try draft(policy, descriptors: [])
    if pool.holds(draft.key) { return }
    let number = prepared.add(1, ordering: .relaxed).newValue
    let cell = try await build(draft, instance: "ready-\(number)")
    reactor.run(after: Self.startMillisecondsMax) { [weak cell] in cell?.buildingDeadlinePassed() }
    if case .failure(let error) = await cell.waitForReadiness() {
      await cell.waitUntilGone()
      throw error
    }
    for old in pool.put(cell, draft.key) { old.kill() }
  }

  /// Ends the cells waiting for an app, before its directories go; returns when they are gone.
  public func discardPrepared(app appID: String) async {
    for cell in pool.remove(app: appID) {
      cell.kill()
      await cell.waitUntilGone()
    }
  }

  private func start(_ cell: Cell, _ plan: StartPlan, _ passed: [LaunchDescriptors.Passed]) async
    -> Cell.Outcome
  {
    let error = cell.start(plan, passed.map(\.host))
    // A launcher that failed by now has said so: its own report is the better error.
    if error != 0 && error != EPIPE && error != ECONNRESET {
      cell.kill()
      return .failure(SandboxError(.spawn, errno: error, "handing over the command"))
    }
    reactor.run(after: Self.startMillisecondsMax) { [weak cell] in cell?.deadlinePassed() }
    return await cell.waitForStart()
  }

  /// LIMIT: a cell that takes longer (a hung network file system below a bind) is given up.
  static let startMillisecondsMax: UInt64 = 10_000

  /// Usage of all processes of an app together; nil where there is no cgroup.
  public func usage(ofApp appID: String) -> ResourceUsage? { cgroups.usage(app: appID) }

  /// Forgets an uninstalled app, whose processes must be over: its waiting cells and its cgroup go.
  public func forget(app appID: String) {
    let waiting = pool.remove(app: appID)
    for cell in waiting { cell.kill() }
    cgroups.remove(app: appID)
    guard !waiting.isEmpty else { return }
    // Unstructured on purpose: only empty directories are at stake, and a sweep finds them too.
    Task.detached(priority: .utility) { [cgroups] in
      for cell in waiting { await cell.waitUntilGone() }
      cgroups.remove(app: appID)
    }
  }

  /// Kills and removes what an earlier host of the same name left behind. Call before the first
  /// launch. Returns what was found, for the log.
  public func sweep() -> [String] {
    LeftoverProcesses.sweep(mark: mark) + cgroups.sweep()
  }

  // MARK: -

  /// A plan without a cgroup of its own yet, and what tells it from others.
  struct Draft: Sendable {
    var plan: LaunchPlan
    var key: CellPool.Key
  }

  private func draft(_ policy: SandboxPolicy, descriptors: [UInt32]) throws(SandboxError) -> Draft {
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
    let plan = try LaunchPlan(
      policy, facts: facts, sources: sources, descriptors: descriptors,
      filter: policy.allowWeaker.contains(.seccomp) ? nil : FilterCache.program(policy.profile),
      hasCgroup: cgroups.source != .proc)
    let runtime = policy.runtime ?? .standard(facts.layout)
    return Draft(
      plan: plan,
      key: CellPool.Key(
        appID: policy.appID, plan: plan.cell,
        files: sources.map(\.identity) + runtime.files.map(KernelFile.identity)))
  }

  private func build(_ draft: Draft, instance: String) async throws(SandboxError) -> Cell {
    let appID = draft.key.appID
    var plan = draft.plan.cell
    plan.cgroup = try cgroups.makeLeaf(app: appID, instance: instance)
    do {
      return try await spawn(appID: appID, instance: instance, plan)
    } catch {
      _ = cgroups.removeLeaf(app: appID, instance: instance)
      throw error
    }
  }

  func spawn(appID: String, instance: String, _ plan: CellPlan) async throws(SandboxError) -> Cell {
    let context = Cell.Context(appID: appID, instance: instance, cgroups: cgroups, plan: plan)
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
    return try result.get()
  }

  private static func resolved(_ bind: Bind) throws(SandboxError) -> ResolvedBind {
    // Links above it are the operator's way to lay out disks. A link in its place could have been
    // put there by whoever may write beside it, so the last name is never followed: not here, and
    // not by the launcher, which refuses every link in the path it gets.
    let detail = "\(bind.source) at \(bind.path)"
    let end = bind.source.lastIndex(of: "/") ?? bind.source.startIndex
    let name = bind.source[end...]
    switch resolve(end == bind.source.startIndex ? "/" : String(bind.source[..<end])) {
    case .failure(let error):
      throw SandboxError(.bindSource, errno: error.number, detail)
    case .success(let parent):
      let source = parent == "/" ? String(name) : parent + name
      guard let kind = KernelFile.kind(source) else {
        throw SandboxError(.bindSource, errno: ENOENT, detail)
      }
      if kind == S_IFLNK { throw SandboxError(.bindSource, errno: ELOOP, detail + " is a link") }
      return ResolvedBind(
        bind: bind, source: source, isDirectory: kind == S_IFDIR,
        identity: KernelFile.identity(source))
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
