// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import Synchronization

/// One launcher and what became of it: the two sockets, and whoever waits for its start or end.
///
/// Its reactor's thread does all reading; other threads only ask, wait and order a kill.
final class Cell: Sendable {
  typealias Outcome = Result<Void, SandboxError>

  struct Context: Sendable {
    var appID: String
    var instance: String
    var cgroups: any CgroupHierarchy
    var plan: CellPlan
  }

  private struct State {
    var lifecycle = CellLifecycle()
    var control: Int32
    var cell: Int32
    var guest: Int32
    var monitor: pid_t
    var readiness: Outcome?
    var outcome: Outcome?
    var exit: ExitReport?
    /// Read from `/proc` last, where there is no cgroup.
    var seen: ResourceUsage?
    var startWaiters: [CheckedContinuation<Outcome, Never>] = []
    var readyWaiters: [CheckedContinuation<Outcome, Never>] = []
    var exitWaiters: [CheckedContinuation<ExitReport, Never>] = []
    var leafIsGone = false
    /// Nothing is left: neither its cgroup nor its monitor.
    var isGone: Bool { leafIsGone && monitor == 0 }
    var goneWaiters: [CheckedContinuation<Void, Never>] = []
  }

  let context: Context
  /// Of the app, when this cell was made: what comes on top happened in its time.
  private let earlierLimitHits: UInt64
  private let reactor: Reactor
  private let state: Mutex<State>
  let blockedCalls: AsyncStream<BlockedCall>
  private let blockedSink: AsyncStream<BlockedCall>.Continuation
  let blockedCounts = BlockedCounts()

  /// Starts a launcher and gives it its CELL plan. Only on the reactor's thread.
  init(
    launcherPath: String, mark: String, context: Context, reactor: Reactor
  ) throws(SandboxError) {
    self.context = context
    self.reactor = reactor
    earlierLimitHits = context.cgroups.processLimitHits(app: context.appID)
    (blockedCalls, blockedSink) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
    var pairs: [[Int32]] = [[-1, -1], [-1, -1], [-1, -1]]
    let made = pairs.indices.map { bh_seqpacket_pair(&pairs[$0]) }
    guard made.allSatisfy({ $0 == 0 }) else {
      for descriptor in pairs.joined() where descriptor >= 0 { close(descriptor) }
      throw SandboxError(.spawn, errno: -(made.min() ?? 0), "socketpair")
    }
    let monitor = bh_spawn_launcher(launcherPath, mark, pairs[0][1], pairs[1][1], pairs[2][1])
    for pair in pairs { close(pair[1]) }
    guard monitor > 0 else {
      for pair in pairs { close(pair[0]) }
      throw SandboxError(.spawn, errno: -monitor, launcherPath)
    }
    let (control, cell, guest) = (pairs[0][0], pairs[1][0], pairs[2][0])
    state = Mutex(State(control: control, cell: cell, guest: guest, monitor: monitor))
    _ = Self.send(context.plan.encoded(), [], to: control)
    reactor.watch(control) { [self] _ in readControl() }
    reactor.watch(cell) { [self] _ in readCell() }
    reactor.watch(guest) { [self] _ in readGuest() }
    watchMonitor(monitor)
  }

  /// A host that lets go of a running cell ends it: its monitor sees the closed socket.
  deinit {
    state.withLock { state in
      for descriptor in [state.control, state.cell, state.guest] where descriptor >= 0 {
        close(descriptor)
      }
    }
  }

  /// Hands over the command. The descriptors are duplicated before this returns.
  func start(_ plan: StartPlan, _ descriptors: [Int32]) -> Int32 {
    let bytes = plan.encoded()
    return state.withLock { state in
      guard state.guest >= 0 else { return ECONNRESET }
      _ = state.lifecycle.handle(.ordered)
      return Self.send(bytes, descriptors, to: state.guest)
    }
  }

  /// 0 or an errno.
  private static func send(_ bytes: [UInt8], _ descriptors: [Int32], to socket: Int32) -> Int32 {
    guard bytes.count <= Int(BH_PLAN_BYTES_MAX) else { return E2BIG }
    let sent = bh_send(socket, bytes, bytes.count, descriptors, descriptors.count)
    return sent < 0 ? Int32(-sent) : 0
  }

  // MARK: asked from anywhere

  var guestPID: Int32 { state.withLock { $0.lifecycle.guestPID } }
  var initPID: Int32 { state.withLock { $0.lifecycle.initPID } }

  func kill() {
    _ = context.cgroups.kill(app: context.appID, instance: context.instance)
    let monitor = state.withLock { state -> pid_t in
      guard state.control >= 0 else { return 0 }
      // Without a cgroup only pid 1 can say what its descendants used: it ends them itself.
      let isGentle = context.cgroups.source == .proc && state.lifecycle.phase == .running
      var order = UInt8(isGentle ? BH_ORDER_END : BH_ORDER_KILL)
      _ = bh_send(state.control, &order, 1, nil, 0)
      return state.monitor
    }
    guard monitor > 0 else { return }
    // A monitor that does not act (stopped by someone) is killed; the cell dies with it.
    reactor.run(after: 1000) { [self] in
      state.withLock { state in
        if state.exit == nil && state.monitor > 0 { _ = Glibc.kill(state.monitor, SIGKILL) }
      }
    }
  }

  func waitForReadiness() async -> Outcome {
    await withCheckedContinuation { continuation in
      let known = state.withLock { state -> Outcome? in
        if let known = state.readiness { return known }
        state.readyWaiters.append(continuation)
        return nil
      }
      if let known { continuation.resume(returning: known) }
    }
  }

  func waitForStart() async -> Outcome {
    await withCheckedContinuation { continuation in
      let known = state.withLock { state -> Outcome? in
        if let known = state.outcome { return known }
        state.startWaiters.append(continuation)
        return nil
      }
      if let known { continuation.resume(returning: known) }
    }
  }

  func waitForExit() async -> ExitReport {
    await withCheckedContinuation { continuation in
      let known = state.withLock { state -> ExitReport? in
        if let known = state.exit { return known }
        state.exitWaiters.append(continuation)
        return nil
      }
      if let known { continuation.resume(returning: known) }
    }
  }

  /// Returns when neither process, mount nor cgroup of it is left (or the bound has passed).
  func waitUntilGone() async {
    await withCheckedContinuation { continuation in
      let isGone = state.withLock { state -> Bool in
        if !state.isGone { state.goneWaiters.append(continuation) }
        return state.isGone
      }
      if isGone { continuation.resume() }
    }
  }

  var isReady: Bool { state.withLock { $0.lifecycle.phase == .ready } }

  func usage() throws(SandboxError) -> ResourceUsage {
    let (exit, pid) = state.withLock { ($0.exit, $0.lifecycle.initPID) }
    if let exit { return exit.usage }
    if let usage = context.cgroups.usage(app: context.appID, instance: context.instance) {
      return usage
    }
    guard context.cgroups.source == .proc else {
      throw SandboxError(.cgroup, errno: ENOENT, "the cgroup's figures cannot be read")
    }
    let usage = ProcessTree.usage(of: pid)
    return state.withLock { state in
      let known = usage.neverBelow(state.seen)
      state.seen = known
      return known
    }
  }

  /// The processes that live inside now; none once it is over.
  func processes() -> [ProcessFigures] {
    let (isOver, root) = state.withLock { ($0.exit != nil, $0.lifecycle.initPID) }
    if isOver { return [] }
    let pids = context.cgroups.processes(app: context.appID, instance: context.instance)
    return ProcessTree.list(pids ?? ProcessTree.below(root))
  }

  // MARK: on the reactor's thread

  private func readControl() {
    while let message = receive(\.control) {
      switch message {
      case .report(let report, _):
        // pid 1 is gone by now: all it had to say is in its socket.
        if report.kind == BH_REPORT_EXIT.rawValue { readCell() }
        handle(.control(report))
      case .closed:
        dropSocket(\.control)
        handle(.controlClosed)
      }
    }
  }

  private func readCell() {
    while let message = receive(\.cell) {
      switch message {
      case .report(let report, _):
        // The guest is over: what it said, or that it became the command, came before.
        if report.kind == BH_REPORT_EXIT.rawValue { readGuest() }
        handle(.cell(report))
      case .closed:
        dropSocket(\.cell)
        handle(.cellClosed)
      }
    }
  }

  private func readGuest() {
    while let message = receive(\.guest) {
      switch message {
      case .report(let report, let descriptor):
        if descriptor >= 0 { serveNotifications(descriptor) }
        handle(.guest(report))
      case .closed:
        dropSocket(\.guest)
        // While the cell is built an end has a reason, and whoever knows it has said so by now.
        if state.withLock({ $0.lifecycle.phase == .building }) {
          readCell()
          readControl()
        }
        handle(.guestClosed)
      }
    }
  }

  private enum Message { case report(CellLifecycle.Report, descriptor: Int32), closed }

  private func receive(_ socket: KeyPath<State, Int32>) -> Message? {
    let descriptor = state.withLock { $0[keyPath: socket] }
    guard descriptor >= 0 else { return nil }
    var raw = bh_report()
    var pid: pid_t = 0
    var passed: Int32 = -1
    let size = bh_receive(descriptor, &raw, MemoryLayout<bh_report>.size, &pid, &passed)
    if size == -Int(EAGAIN) || size == -Int(EINTR) { return nil }
    guard size > 0 else { return .closed }
    guard size == MemoryLayout<bh_report>.size else {
      if passed >= 0 { close(passed) }
      return .closed
    }
    var report = CellLifecycle.Report(kind: raw.kind)
    report.step = raw.step
    report.errno = raw.error
    report.record = Int(raw.index)
    report.status = raw.status
    report.hasStatus = raw.has_status != 0
    report.userMicroseconds = raw.user_microseconds
    report.systemMicroseconds = raw.system_microseconds
    report.peakBytes = raw.peak_bytes
    report.pid = pid
    return .report(report, descriptor: passed)
  }

  private func dropSocket(_ socket: WritableKeyPath<State, Int32>) {
    let descriptor = state.withLock { state -> Int32 in
      let descriptor = state[keyPath: socket]
      state[keyPath: socket] = -1
      return descriptor
    }
    guard descriptor >= 0 else { return }
    reactor.unwatch(descriptor)
    close(descriptor)
  }

  /// For the start of a launch that has a bound.
  func deadlinePassed() { handle(.deadline) }

  /// For a cell built ahead of need, which may wait as long as it likes once it is ready.
  func buildingDeadlinePassed() {
    if state.withLock({ $0.lifecycle.phase == .building }) { handle(.deadline) }
  }

  private func handle(_ event: CellLifecycle.Event) {
    for action in state.withLock({ $0.lifecycle.handle(event) }) {
      switch action {
      case .ready: resumeReady(.success(()))
      case .started: resumeStart(.success(()))
      case .failed(let step, let errno, let record):
        let error = SandboxError(step, errno: errno, detail(step, record: record))
        resumeReady(.failure(error))
        resumeStart(.failure(error))
      case .kill: kill()
      case .exited: reportExit()
      case .watchInit(let pid): watchInit(pid)
      case .over:
        reportExit()
        removeLeaf(tries: 40)
      }
    }
  }

  private func detail(_ step: LaunchStep, record: Int) -> String {
    switch step {
    case .bindSource, .bindAttributes, .bindTarget, .bind, .mapOwner, .directory, .file, .symlink,
      .tmpfs, .proc:
      return context.plan.describe(record: record)
    case .lost: return "it ended or hung without saying why"
    default: return ""
    }
  }

  private func resumeReady(_ outcome: Outcome) {
    let waiters = state.withLock { state in
      if state.readiness == nil { state.readiness = outcome }
      defer { state.readyWaiters = [] }
      return state.readyWaiters
    }
    for waiter in waiters { waiter.resume(returning: outcome) }
  }

  private func resumeStart(_ outcome: Outcome) {
    let waiters = state.withLock { state in
      if state.outcome == nil { state.outcome = outcome }
      defer { state.startWaiters = [] }
      return state.startWaiters
    }
    for waiter in waiters { waiter.resume(returning: outcome) }
  }

  /// Final figures, for whoever waits. Once.
  private func reportExit() {
    let (lifecycle, seen) = state.withLock { ($0.exit == nil ? $0.lifecycle : nil, $0.seen) }
    guard let lifecycle else { return }
    var usage =
      context.cgroups.usage(app: context.appID, instance: context.instance)
      ?? ResourceUsage(source: .proc)
    if usage.source == .proc, let report = lifecycle.finalReport {
      usage.userMicroseconds = report.userMicroseconds
      usage.systemMicroseconds = report.systemMicroseconds
      usage.memoryPeakBytes = report.peakBytes
      // A pid 1 that was killed reaped nobody: then its descendants' time is in no report.
      usage = usage.neverBelow(seen)
    }
    usage.processes = 0
    let limitHits = context.cgroups.processLimitHits(app: context.appID)
    // v1 counts where the fork was tried, v2 where the bound is.
    usage.processLimitHits = max(
      usage.processLimitHits, limitHits - min(limitHits, earlierLimitHits))
    let exit = ExitReport(
      outcome: ExitReport.Outcome(status: lifecycle.status ?? SIGKILL),
      outOfMemory: usage.outOfMemoryKills > 0, processLimitHit: usage.processLimitHits > 0,
      usage: usage)
    let waiters = state.withLock { state in
      state.exit = exit
      defer { state.exitWaiters = [] }
      return state.exitWaiters
    }
    for waiter in waiters { waiter.resume(returning: exit) }
    blockedSink.finish()
  }

  /// LIMIT: 40 tries, 50 ms apart: two seconds.
  private func removeLeaf(tries: Int) {
    if context.cgroups.removeLeaf(app: context.appID, instance: context.instance) || tries == 0 {
      // The monitor ends when it sees this, and leaves the cgroups alone.
      state.withLock { state in
        var order = UInt8(BH_ORDER_DONE)
        if state.control >= 0 { _ = bh_send(state.control, &order, 1, nil, 0) }
      }
      dropSocket(\.control)
      state.withLock { $0.leafIsGone = true }
      resumeGone()
    } else {
      reactor.run(after: 50) { [self] in removeLeaf(tries: tries - 1) }
    }
  }

  private func resumeGone() {
    let waiters = state.withLock { state in
      guard state.isGone else { return [] as [CheckedContinuation<Void, Never>] }
      defer { state.goneWaiters = [] }
      return state.goneWaiters
    }
    for waiter in waiters { waiter.resume() }
  }

  private func watchInit(_ pid: pid_t) {
    let descriptor = bh_pidfd_open(pid)
    guard descriptor >= 0 else { return handle(.initGone) }
    let once = Mutex(false)
    let gone: @Sendable () -> Void = { [self] in
      guard
        once.withLock({ wasDone in
          defer { wasDone = true }; return !wasDone
        })
      else { return }
      reactor.unwatch(descriptor)
      close(descriptor)
      handle(.initGone)
    }
    reactor.watch(descriptor) { _ in
      var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      if poll(&event, 1, 0) > 0 { gone() }
    }
    // LIMIT: two seconds, should the number mean another process by now.
    reactor.run(after: 2000, gone)
  }

  private func watchMonitor(_ pid: pid_t) {
    let descriptor = bh_pidfd_open(pid)
    guard descriptor >= 0 else { return reapLater(pid) }
    reactor.watch(descriptor) { [self] _ in
      // Looked at rather than believed: an event may be meant for an earlier owner of the number.
      guard waitpid(pid, nil, WNOHANG) != 0 else { return }
      reactor.unwatch(descriptor)
      close(descriptor)
      monitorIsReaped()
    }
  }

  /// Without a descriptor to spare nothing tells of its end: look now and then.
  private func reapLater(_ pid: pid_t) {
    reactor.run(after: 100) { [self] in
      if waitpid(pid, nil, WNOHANG) == 0 { reapLater(pid) } else { monitorIsReaped() }
    }
  }

  private func monitorIsReaped() {
    state.withLock { $0.monitor = 0 }
    readControl()
    resumeGone()
  }

  private func serveNotifications(_ listener: Int32) {
    guard let filter = context.plan.filter else {
      close(listener)
      return
    }
    NotificationServer(
      listener: listener, filter: filter, counts: blockedCounts, sink: blockedSink
    ).start()
  }
}
