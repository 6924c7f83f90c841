// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import GuestAPI
import Logging
import Meter
import NIOCore
import NIOPosix
import Sandbox

/// The host: builds everything, owns it, and takes it down again. The only place where the parts meet.
public final class Supervisor: Sendable {
  let configuration: SupervisorConfiguration
  let logger: Logger
  let clock: MeterClock
  let startedAt: Date
  let group: MultiThreadedEventLoopGroup
  /// Guests' output and the admin socket: away from the loops that answer requests.
  let sideGroup: MultiThreadedEventLoopGroup
  let registry: AppRegistry
  let apps = AppTable()
  let uids: UIDAllocator
  let launcher: Launcher
  let starter: SandboxStarter
  let meter: MeterLoop
  let watcher: ReadinessWatcher
  /// Seals secrets and signing keys at rest.
  let masterKeyFile: MasterKeyFile
  let keyRing: KeyRing
  let logs: LogShelf
  let gateway: Gateway
  /// Blocking work on the registry: one thing at a time.
  let storeQueue = DispatchQueue(label: "bulkhead.store")
  /// Blocking questions to the meter's files.
  let meterQueue = DispatchQueue(label: "bulkhead.meter")
  let ownsLock: DataDirectoryLock

  /// Prepares everything that can fail before the first app: the data directory, the sandbox, the meter.
  ///
  /// - Throws: `SupervisorError` in words for the operator.
  public init(
    configuration: SupervisorConfiguration, logger: Logger, environment: [String: String]
  ) async throws {
    self.configuration = configuration
    self.logger = logger
    clock = .system
    startedAt = Date()
    let data = configuration.dataDirectory
    try Self.prepareDirectory(data)
    ownsLock = try DataDirectoryLock(data)
    let toolkit = try Toolkit.discover(environment: environment)
    let waived = try Self.layers(named: configuration.allowWeaker)
    let name = Self.hostName(for: data)
    let cgroups = CgroupDiscovery.hierarchy(named: name)
    let facts = await KernelProbe.probe(launcherPath: toolkit.launcher, cgroups: cgroups)
    do {
      launcher = try Launcher(
        launcherPath: toolkit.launcher, cgroups: cgroups, facts: facts, name: name)
      watcher = try ReadinessWatcher()
    } catch { throw SupervisorError("\(error)") }
    let threads = configuration.threads ?? max(1, System.coreCount / 2)
    group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    sideGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    registry = AppRegistry(dataDirectory: data, clock: clock)
    uids = UIDAllocator(isRoot: facts.isPrivileged)
    logs = LogShelf(dataDirectory: data, clock: clock)
    meter = try Self.openMeter(configuration, clock: clock, logger: logger, registry: registry)
    (masterKeyFile, keyRing) = try Self.openMasterKey(
      data, environment: environment, logger: logger)
    starter = SandboxStarter(
      launcher: launcher, toolkit: toolkit, allowWeaker: waived, logs: logs.log(of:),
      storage: { [apps] in apps[$0]?.storage },
      logGroup: sideGroup, meter: meter, clock: clock, logger: logger)
    gateway = Gateway(
      origins: apps, group: group,
      options: try Self.gatewayOptions(configuration, apps: apps), logger: logger)
  }

  private static func prepareDirectory(_ data: String) throws(SupervisorError) {
    do throws(DurableFile.Failure) { try DurableFile.makeDirectory("\(data)/meter") } catch {
      throw SupervisorError("\(error); give a directory this user may write to with --data")
    }
  }

  private static func layers(named names: [String]) throws(SupervisorError) -> Set<Layer> {
    var layers: Set<Layer> = []
    for name in names {
      guard let layer = Layer(rawValue: name) else {
        let known = Layer.allCases.filter(\.canBeWaived).map(\.rawValue).joined(separator: ", ")
        throw SupervisorError("--allow-weaker \(name): no such layer; there are \(known)")
      }
      layers.insert(layer)
    }
    return layers
  }

  /// Names this host among others on the machine: two data directories, two hosts.
  private static func hostName(for data: String) -> String {
    let path = realpath(data, nil).map { pointer in
      defer { free(pointer) }
      return String(cString: pointer)
    }
    // FNV-1a, 64 bits: short, stable, and no secret.
    let hash = (path ?? data).utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    return String(hash, radix: 16)
  }

  /// A credential of systemd, or `DATA/master.key`, made at the first start.
  private static func openMasterKey(
    _ data: String, environment: [String: String], logger: Logger
  ) throws(SupervisorError) -> (MasterKeyFile, KeyRing) {
    let file = MasterKeyFile.locate(
      credentialsDirectory: environment["CREDENTIALS_DIRECTORY"], path: "\(data)/master.key")
    do throws(MasterKeyFile.Failure) {
      let (ring, wasMade) = try file.loadOrGenerate(random: Self.randomBytes)
      if wasMade {
        logger.warning(
          """
          made a new master key in \(file.path): keep a copy of it somewhere safe. Without it no secret and no \
          signing key of any app can be read again
          """)
      }
      return (file, KeyRing(ring))
    } catch { throw SupervisorError("\(error)") }
  }

  /// From the kernel's generator (`SystemRandomNumberGenerator` is getrandom(2) on Linux).
  static func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  private static func openMeter(
    _ configuration: SupervisorConfiguration, clock: MeterClock, logger: Logger,
    registry: AppRegistry
  ) throws(SupervisorError) -> MeterLoop {
    let directory = "\(configuration.dataDirectory)/meter"
    let opened = try LedgerOpener(directory: directory, random: randomBytes)
      .open(configuration.ledger)
    do throws(MeterError) {
      let book = try MeterBook(
        directory: directory, configuration: .init(host: opened.host), clock: clock,
        ledger: opened.ledger)
      return MeterLoop(book: book, clock: clock, logger: logger) { registry.all }
    } catch { throw SupervisorError("the meter cannot be opened: \(error)") }
  }

  private static func gatewayOptions(
    _ configuration: SupervisorConfiguration, apps: AppTable
  ) throws(SupervisorError) -> GatewayOptions {
    var options = GatewayOptions()
    for text in configuration.trustedProxies {
      guard let range = AddressRange(text) else {
        throw SupervisorError("--trusted-proxy \(text): neither an address nor a CIDR block")
      }
      options.trustedProxies.append(range)
    }
    if let header = configuration.identityHeader {
      guard !options.trustedProxies.isEmpty else {
        throw SupervisorError(
          "--identity-header needs --trusted-proxy: nobody else may say who is signed on")
      }
      options.identity = IdentityHeaders(
        user: header, name: "Remote-Name", groups: "Remote-Groups")
    }
    options.hostPage = { HostPage.html(names: apps.origins.map(\.name)) }
    return options
  }

  // MARK: Running

  /// Serves until SIGINT or SIGTERM, then takes everything down. Returns when nothing is left.
  ///
  /// - Parameter onReady: called with the base URL once apps and the admin socket can be reached.
  public func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
    let interrupt = Interrupt()
    Self.forbidCoreDumps()
    try sweepAndLoad()
    // What was used up before stays so: the first tick reads where every limit stands.
    await onQueue(meterQueue) {
      self.settleBudgets()
      self.settleBudgets()
    }
    meter.start(onSurvey: { [apps, registry, starter] app, kind, bytes in
      // The worker and the vault say themselves what they hold, and so does a watched data directory.
      guard let kind = StorageAccount.Kind(rawValue: kind), kind != .sqlite else { return }
      if kind == .data, let directory = registry[app]?.directory, starter.watchesData(of: directory)
      {
        return
      }
      apps[app]?.storage.note(kind, bytes: bytes)
    }) { [weak self] in self?.applyBudgets() }
    do {
      try await gateway.start(host: configuration.listenHost, port: configuration.listenPort)
      startTicking()
      logger.notice("serving", metadata: ["url": "\(baseURL)", "apps": "\(apps.all.count)"])
      let url = baseURL
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        let admin = AdminServer(
          path: configuration.adminSocket, operations: self, eventLoopGroup: sideGroup,
          logger: quietLogger)
        tasks.addTask { try await admin.run { await onReady(url) } }
        tasks.addTask { await interrupt.wait() }
        if let place = configuration.observation {
          let observation = ObservationServer(
            host: place.host, port: place.port, operations: self, eventLoopGroup: sideGroup,
            logger: quietLogger)
          tasks.addTask { try await observation.run() }
        }
        try await tasks.next()
        tasks.cancelAll()
      }
    } catch {
      await takeDown()
      throw error
    }
    await takeDown()
  }

  /// Secrets pass through this process: its memory must not come to lie on a disk. One byte is less than any core file
  /// has, and the one size that also stops a program that takes core dumps (core(5), do_coredump in fs/coredump.c).
  private static func forbidCoreDumps() {
    var limit = rlimit(rlim_cur: 1, rlim_max: 1)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
  }

  /// Hummingbird announces its own start; the operator has our line already.
  private var quietLogger: Logger {
    var logger = logger
    // Its complaint about being cancelled is how it is told to stop.
    logger.logLevel = .critical
    return logger
  }

  /// How many apps have a cell waiting when the host has started: as many as there is room for, with a worker each.
  static let readyAtStart = 8

  private func sweepAndLoad() throws {
    for leftover in launcher.sweep() {
      logger.notice("swept what an earlier host left", metadata: ["what": "\(leftover)"])
    }
    for report in launcher.facts.layers where report.state != .active {
      logger.warning(
        "sandbox: \(report.layer.rawValue) is \(report.state.rawValue): \(report.reason)")
    }
    for name in configuration.allowWeaker {
      logger.warning("running weaker by the operator's choice", metadata: ["layer": "\(name)"])
    }
    for problem in try registry.load() {
      logger.error(
        "an app could not be loaded",
        metadata: ["directory": "\(problem.directory)", "reason": "\(problem.reason)"])
    }
    for app in registry.all { try enter(app) }
    for app in registry.all.filter(\.record.isEnabled).prefix(Self.readyAtStart) {
      starter.prepareNext(spec(of: app), after: .zero)
    }
    resumeMasterKeyRotation()
  }

  private func startTicking() {
    group.next().scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [apps] _ in
      let now = NIODeadline.now()
      for handle in apps.all {
        let loop = handle.runner.eventLoop
        let tick: @Sendable () -> Void = {
          handle.runner.tick(now: now)
          handle.sql.tick(now: now)
          HostWork.skipOnLoop()
        }
        if loop.inEventLoop { tick() } else { loop.execute(tick) }
      }
    }
  }

  var baseURL: String {
    let port = gateway.localAddress?.port ?? configuration.listenPort
    return "http://\(configuration.listenHost):\(port)"
  }

  private func takeDown() async {
    logger.notice("stopping")
    await gateway.shutdown(grace: .seconds(5))
    await withTaskGroup(of: Void.self) { tasks in
      for handle in apps.all { tasks.addTask { await handle.runner.stopNow(disable: false) } }
    }
    for handle in apps.all { handle.sql.guestLeft() }
    await starter.endPreparing()
    await removeCgroups()
    await onQueue(meterQueue) { self.meter.stop() }
    await onQueue(storeQueue) { self.logs.closeAll() }
    try? await group.shutdownGracefully()
    try? await sideGroup.shutdownGracefully()
    logger.notice("stopped")
  }

  /// An orderly end leaves no cgroup behind. Workers that were just killed may hold theirs for a moment.
  private func removeCgroups() async {
    await processesEnded()
    for app in registry.all { launcher.forget(app: app.id) }
    for leftover in launcher.sweep() {
      logger.notice("removed at the end", metadata: ["what": "\(leftover)"])
    }
    // A directory whose last process has just gone can be busy for a moment; the one above goes with the last below.
    for _ in 0..<5 {
      for app in registry.all { launcher.forget(app: app.id) }
      try? await Task.sleep(for: .milliseconds(40))
    }
  }

  /// Returns when every sealed process (of one app) has ended, or after two seconds.
  func processesEnded(of app: String? = nil) async {
    for _ in 0..<40 {
      if !meter.processes.all.contains(where: { app == nil || $0.app == app }) { return }
      try? await Task.sleep(for: .milliseconds(50))
    }
  }

  /// Runs blocking work on a queue of its own.
  func onQueue<Value: Sendable, Failure: Error>(
    _ queue: DispatchQueue, _ body: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let outcome: Result<Value, Failure> = await withCheckedContinuation { continuation in
      queue.async {
        do throws(Failure) {
          continuation.resume(returning: .success(try body()))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try outcome.get()
  }
}
