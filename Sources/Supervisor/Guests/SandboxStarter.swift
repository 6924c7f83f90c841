// SPDX-License-Identifier: Apache-2.0
import CHostShims
import GuestAPI
import Glibc
import Logging
import Meter
import NIOCore
import Sandbox
import Synchronization

/// Starts guests and SQL workers in their sandbox, and sees to their logs and their accounting.
final class SandboxStarter: GuestStarter, SQLWorkerStarter {
  private let launcher: Launcher
  private let toolkit: Toolkit
  private let allowWeaker: Set<Layer>
  private let logs: @Sendable (String) -> AppLog
  private let storage: @Sendable (String) -> StorageAccount?
  private let logGroup: any EventLoopGroup
  private let meter: MeterLoop
  private let clock: MeterClock
  private let ready: ReadyCells
  private let dataWatch = DataWatch()
  /// Tells apart what this run of the host started from what any other did.
  private let run: String
  private let count = Atomic<UInt64>(0)

  init(
    launcher: Launcher, toolkit: Toolkit, allowWeaker: Set<Layer>,
    logs: @escaping @Sendable (String) -> AppLog,
    storage: @escaping @Sendable (String) -> StorageAccount?, logGroup: any EventLoopGroup,
    meter: MeterLoop,
    clock: MeterClock, logger: Logger
  ) {
    self.launcher = launcher
    self.toolkit = toolkit
    self.allowWeaker = allowWeaker
    self.logs = logs
    self.storage = storage
    self.logGroup = logGroup
    self.meter = meter
    self.clock = clock
    ready = ReadyCells(launcher: launcher, logger: logger)
    run = String(clock.wall().microseconds, radix: 36)
  }

  func start(_ guest: GuestSpec) async throws(HostError) -> StartedGuest {
    let hasSQL = !guest.databases.isEmpty
    let socket = try SocketPair()
    let sql = hasSQL ? try SocketPair() : nil
    var passed = [LaunchDescriptors.Passed(host: socket.inside, inside: 3)]
    if let sql { passed.append(.init(host: sql.inside, inside: 4)) }
    var policy = GuestPolicy(toolkit: toolkit).policy(
      for: guest, instance: nextInstance("guest"), allowWeaker: allowWeaker)
    let epoch = ready.epoch(of: guest.appID)
    do throws(HostError) {
      let refusal = try await dataRefusal(guest)
      policy.limits.refusesWrites = refusal != nil
      let process = try await launch(policy, guest, passed)
      try watchData(of: guest, process.process, refusedAt: refusal)
      socket.closeInside()
      sql?.closeInside()
      prepareNext(guest, epoch: epoch)
      return StartedGuest(process: process, socket: socket.outside, sqlSocket: sql?.outside)
    } catch {
      socket.closeBoth()
      sql?.closeBoth()
      throw error
    }
  }

  func startSQLWorker(
    _ guest: GuestSpec, directSocket: CInt?
  ) async throws(HostError) -> StartedGuest {
    defer { if let directSocket { close(directSocket) } }
    let socket = try SocketPair()
    var passed = [LaunchDescriptors.Passed(host: socket.inside, inside: 3)]
    if let directSocket { passed.append(.init(host: directSocket, inside: 4)) }
    let policy = GuestPolicy(toolkit: toolkit).sqlWorkerPolicy(
      for: guest, instance: nextInstance("sql"), allowWeaker: allowWeaker)
    let epoch = ready.epoch(of: guest.appID)
    do throws(HostError) {
      let process = try await launch(policy, guest, passed)
      socket.closeInside()
      prepareNext(guest, epoch: epoch)
      return StartedGuest(process: process, socket: socket.outside, sqlSocket: nil)
    } catch {
      socket.closeBoth()
      throw error
    }
  }

  // MARK: The data directory

  /// What was refused to an earlier guest of the app, if that still holds.
  private func dataRefusal(_ guest: GuestSpec) async throws(HostError) -> DataWatch.Refusal? {
    guard guest.hasDataDirectory else { return nil }
    let directory = AppDirectory(path: guest.appDirectory).data
    switch await dataWatch.room(in: directory, storageAccount(of: guest)) {
    case .some: return nil
    case .none(let refusal): return refusal
    case .overrun(let figures):
      throw HostError(
        .upstream, "start_failed",
        "its data directory grew although writes were refused (\(figures)): remove files from \(directory)"
      )
    }
  }

  /// Whether the app's data directory is counted more exactly than a survey can.
  func watchesData(of app: AppDirectory) -> Bool { dataWatch.isWatching(app.data) }

  private func watchData(
    of guest: GuestSpec, _ process: SandboxedProcess, refusedAt: DataWatch.Refusal?
  ) throws(HostError) {
    guard guest.hasDataDirectory else { return }
    let watch = dataWatch.watch(
      DataWatch.Guest(
        directory: AppDirectory(path: guest.appDirectory).data, storage: storageAccount(of: guest),
        fileBytes: guest.limits.storageBytes, process: process, journal: logs(guest.appID),
        work: try hostWork(for: guest.appID)),
      refusedAt: refusedAt)
    // Its own task: whoever started the guest has other things to wait for.
    Task {
      _ = await process.waitForExit()
      watch.cancel()
    }
  }

  /// The app's own, or one of nothing but the limit for a guest whose app is not entered.
  private func storageAccount(of guest: GuestSpec) -> StorageAccount {
    storage(guest.appID) ?? StorageAccount(limit: Int64(guest.limits.storageBytes))
  }

  // MARK: Cells ahead of need

  /// Sees to it that a cell waits for the next start of the app's guest, and one for its SQL worker.
  ///
  /// - Parameter epoch: from before what this follows; nil for now. What was discarded since is not built again.
  func prepareNext(
    _ guest: GuestSpec, after delay: Duration = ReadyCells.delay, epoch: UInt64? = nil
  ) {
    let plans = GuestPolicy(toolkit: toolkit)
    var policies = [plans.policy(for: guest, instance: "ready", allowWeaker: allowWeaker)]
    if !guest.databases.isEmpty {
      policies.append(
        plans.sqlWorkerPolicy(for: guest, instance: "ready", allowWeaker: allowWeaker))
    }
    ready.order(
      policies, app: guest.appID, after: delay, epoch: epoch ?? ready.epoch(of: guest.appID))
  }

  /// Ends what waits for an app's next start: its cells are of the old kind, or it is to stay stopped.
  func discardPrepared(app: String) async { await ready.discard(app: app) }

  /// No app will be started again.
  func endPreparing() async { await ready.close() }

  // MARK: Compiling

  /// How long compiling an app at install may take.
  static let compileTimeout: Duration = .seconds(60)

  /// Compiles a Python app's modules in a sandbox of its own. Nil if done, else why not: the app works all the same,
  /// it only starts more slowly.
  func compile(_ guest: GuestSpec) async -> String? {
    let policy = GuestPolicy(toolkit: toolkit).compilePolicy(
      for: guest, instance: nextInstance("compile"), allowWeaker: allowWeaker)
    do throws(HostError) {
      let process = try await launch(policy, guest, [])
      // Its own task: whoever comes first, the end or the timeout.
      let timeout = Task {
        try await Task.sleep(for: Self.compileTimeout)
        process.kill()
      }
      let exit = await process.waitForExit()
      timeout.cancel()
      return exit.cause == .exited(0)
        ? nil : "its Python modules were not all compiled: it \(exit.description)"
    } catch {
      return "its Python modules were not compiled: \(error.message)"
    }
  }

  private func hostWork(for app: String) throws(HostError) -> HostWork {
    do throws(MeterError) { return try HostWork(app: app, registry: meter.book.registry) } catch {
      throw HostError(.internal, "meter", "the app's work cannot be metered", log: "\(error)")
    }
  }

  private func nextInstance(_ kind: String) -> String {
    "\(kind)-\(run)-\(count.wrappingAdd(1, ordering: .relaxed).newValue)"
  }

  private func launch(
    _ policy: SandboxPolicy, _ guest: GuestSpec, _ passed: [LaunchDescriptors.Passed]
  ) async throws(HostError) -> SealedProcess {
    let work = try hostWork(for: guest.appID)
    let output = try Pipe()
    let errors: Pipe
    do throws(HostError) { errors = try Pipe() } catch {
      output.closeBoth()
      throw error
    }
    let process: SandboxedProcess
    do throws(SandboxError) {
      process = try await launcher.launch(
        policy,
        LaunchDescriptors(stdout: output.writing, stderr: errors.writing, extra: passed))
    } catch {
      output.closeBoth()
      errors.closeBoth()
      throw HostError(
        .upstream, "start_failed", "\(policy.arguments.first ?? ""): \(error.description)")
    }
    close(output.writing)
    close(errors.writing)
    let log = logs(guest.appID)
    LogPipe.read(output.reading, into: log, as: .stdout, on: logGroup, work: work)
    LogPipe.read(errors.reading, into: log, as: .stderr, on: logGroup, work: work)
    let entry = ProcessTable.Entry(
      app: guest.appID, origin: "\(guest.appID)/\(policy.instance)", startedAt: clock.monotonic(),
      read: { (try? process.usage()).map(ProcessReading.init) }, list: { process.processes() },
      takeBlocked: { process.takeBlockedCounts() })
    meter.processes.insert(entry)
    if policy.development {
      Task { for await call in process.blockedCalls() { log.append(.host, call.description) } }
    }
    return SealedProcess(process: process, entry: entry, meter: meter)
  }
}

/// A sealed process whose last figures go to the meter when it ends.
private final class SealedProcess: GuestProcess {
  let process: SandboxedProcess
  private let entry: ProcessTable.Entry
  private let meter: MeterLoop

  init(process: SandboxedProcess, entry: ProcessTable.Entry, meter: MeterLoop) {
    self.process = process
    self.entry = entry
    self.meter = meter
  }

  var pid: Int32 { process.pid }
  func kill() { process.kill() }

  func waitForExit() async -> GuestExit {
    let report = await process.waitForExit()
    meter.finish(entry, reading: ProcessReading(report.usage))
    let cause: GuestExit.Cause =
      switch report.outcome {
      case .exited(let code): .exited(code)
      case .signaled(let signal): .signaled(signal)
      }
    return GuestExit(
      cause: cause, oomKilled: report.outOfMemory, processLimitHit: report.processLimitHit)
  }
}

extension ProcessReading {
  init(_ usage: ResourceUsage) {
    let source: SampleSource =
      switch usage.source {
      case .cgroupV2: .cgroup2
      case .cgroupV1: .cgroup1
      case .proc: .processTree
      }
    self.init(
      source: source, userMicroseconds: Int64(usage.userMicroseconds),
      systemMicroseconds: Int64(usage.systemMicroseconds), memoryBytes: Int64(usage.memoryBytes),
      memoryPeakBytes: usage.memoryPeakBytes == 0 ? nil : Int64(usage.memoryPeakBytes),
      processes: Int64(usage.processes), oomKills: Int64(usage.outOfMemoryKills),
      processLimitHits: Int64(usage.processLimitHits))
  }
}

/// Two connected stream sockets; `inside` goes to the sealed process.
private struct SocketPair {
  let outside: CInt
  let inside: CInt

  init() throws(HostError) {
    var ends: [CInt] = [-1, -1]
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw HostError(
        .internal, "descriptors", "the host could not make a socket",
        log: String(cString: strerror(errno)))
    }
    (outside, inside) = (ends[0], ends[1])
  }

  func closeInside() { close(inside) }
  func closeBoth() {
    close(inside)
    close(outside)
  }
}

private struct Pipe {
  let reading: CInt
  let writing: CInt

  init() throws(HostError) {
    var ends: [CInt] = [-1, -1]
    guard bh_pipe2(&ends, O_CLOEXEC) == 0 else {
      throw HostError(
        .internal, "descriptors", "the host could not make a pipe",
        log: String(cString: strerror(errno)))
    }
    (reading, writing) = (ends[0], ends[1])
  }

  func closeBoth() {
    close(reading)
    close(writing)
  }
}
