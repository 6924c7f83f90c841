// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Meter
import NIOCore
import NIOPosix

/// One installed app at run time: its queue of calls, and its guest while there is one.
///
/// SAFETY: all mutable state is confined to `eventLoop`; what other threads read is in `published`.
package final class AppRunner: HTTPBackend, @unchecked Sendable {
  package let eventLoop: any EventLoop
  private let starter: any GuestStarter
  private let journal: any AppJournal
  /// The host's half of what the guest that has just started may ask for.
  private let makeService: @Sendable (StartedGuest) -> any GuestService
  package let published = RunnerPublication()

  private(set) var spec: GuestSpec
  private var lifecycle: GuestLifecycle
  private var isEnabled: Bool
  private var session: GuestSession?
  private var process: (any GuestProcess)?
  private var handles: Set<String> = []
  private var queue = CircularBuffer<GuestCall>()
  private var lastActivity: NIODeadline
  /// Told when the guest has come up or failed to; the operator's `start` waits here.
  private var readyWaiters: [EventLoopPromise<Void>] = []
  private var stopWaiters: [EventLoopPromise<Void>] = []
  private var launchGeneration = 0
  private var lastFailure = "it has not been started"
  /// Why the host ended the guest; its exit tells it.
  private var endReason: ProtocolViolation?
  /// When the guest closed its socket without having exited.
  private var hungUpAt: NIODeadline?
  /// How the process ended, while what it sent before that is still being read.
  private var unreadExit: (exit: GuestExit, since: NIODeadline)?
  private var retryIsScheduled = false
  private var hold: BudgetHold = .none
  /// When a throttled app was last let through.
  private var lastThrottledPass: NIODeadline?
  private let now: @Sendable () -> NIODeadline
  private let jitter: @Sendable () -> Double
  /// What a used-up budget for requests asks for; nil lets one through and takes its room.
  private let gate: @Sendable () -> BudgetHold?

  /// Calls that may wait for a place besides those in flight.
  static let queueMax = 256
  /// A longer backoff than this is not waited for: calls are refused with the time it ends.
  static let backoffWaitMax: TimeAmount = .seconds(1)
  /// How long a call may wait for a place.
  static let queueTimeout: TimeAmount = .seconds(30)
  /// How long a guest may take until the head of its answer.
  static let answerTimeout: TimeAmount = .seconds(120)
  /// From a closed socket to the exit that ought to go with it.
  static let hangUpGrace: TimeAmount = .seconds(1)

  /// - Parameters:
  ///   - now: the time, for every timeout.
  ///   - jitter: from −1 to 1, so that many apps that failed together are not started together.
  package init(
    spec: GuestSpec, isEnabled: Bool, eventLoop: any EventLoop, starter: any GuestStarter,
    journal: any AppJournal,
    now: @escaping @Sendable () -> NIODeadline = { .now() },
    jitter: @escaping @Sendable () -> Double = { .random(in: -1...1) },
    gate: @escaping @Sendable () -> BudgetHold? = { nil },
    makeService: @escaping @Sendable (StartedGuest) -> any GuestService
  ) {
    self.spec = spec
    self.isEnabled = isEnabled
    self.eventLoop = eventLoop
    self.starter = starter
    self.journal = journal
    self.makeService = makeService
    self.now = now
    self.jitter = jitter
    self.gate = gate
    lastActivity = now()
    lifecycle = GuestLifecycle(startTimeout: spec.startTimeout, stopGrace: spec.stopGrace)
    publish()
  }

  // MARK: Calls

  package func start(
    _ head: HTTPRequestHead, body: ByteBuffer, bodyIsComplete: Bool,
    receiver: any HTTPAnswerReceiver
  ) -> any HTTPExchange {
    let call = GuestCall(
      head, body: body, bodyIsComplete: bodyIsComplete, receiver: receiver, loop: eventLoop,
      now: now())
    if eventLoop.inEventLoop { accept(call) } else { eventLoop.execute { self.accept(call) } }
    return call
  }

  private func accept(_ call: GuestCall) {
    guard !call.isFinished else { return }
    let hold = hold == .none ? gate() ?? .none : hold
    if hold != .none, let refusal = refusal(hold, at: call.queuedAt) { return call.fail(refusal) }
    lastActivity = call.queuedAt
    if let session, session.isReady, session.inFlight < spec.maxConcurrency, queue.isEmpty {
      return send(call, to: session, waited: .zero)
    }
    guard isEnabled else {
      return call.fail(HostError(.overloaded, "stopped", "the app is stopped by its operator"))
    }
    guard queue.count < Self.queueMax else {
      return call.fail(
        HostError(
          .overloaded, "queue", "too many requests are waiting for this app",
          data: [("retryAfter", 1)]))
    }
    if case .backoff(let until) = lifecycle.state, until - now() > Self.backoffWaitMax {
      return call.fail(backoffError(until: until))
    }
    call.onAbandonQueued = { [unowned self] call in queue.removeAll { $0 === call } }
    queue.append(call)
    demand()
  }

  /// What a used-up budget says to a call: nil lets it through.
  private func refusal(_ hold: BudgetHold, at time: NIODeadline) -> HostError? {
    if case .throttled = hold {
      let spacing = TimeAmount.nanoseconds(
        1_000_000_000 / Int64(BudgetHold.throttledCallsPerSecond))
      if lastThrottledPass.map({ time - $0 >= spacing }) ?? true {
        lastThrottledPass = time
        return nil
      }
    }
    return hold.refusal(nowSeconds: MeterClock.system.wall().seconds)
  }

  /// What the meter says of the app's budgets; a stop ends the guest.
  func setBudget(_ new: BudgetHold) {
    eventLoop.execute { [self] in
      guard new != hold else { return }
      hold = new
      guard case .stopped(let subject, _) = new else { return }
      journal.note(.budget, "stopped: the budget for \(subject) is used up")
      apply(.stop)
    }
  }

  private func backoffError(until: NIODeadline) -> HostError {
    let wait = max(1, (until - now()).nanoseconds / 1_000_000_000 + 1)
    return HostError(
      .overloaded, "backoff", "the app failed and is not started again yet",
      log: lastFailure, data: [("retryAfter", .int(wait))])
  }

  private func send(_ call: GuestCall, to session: GuestSession, waited: TimeAmount) {
    call.onAbandonQueued = nil
    guard handles.contains("http.request") else {
      return call.fail(HostError(.notFound, "http", "this app does not answer HTTP"))
    }
    session.start(call, deadlineMs: (Self.answerTimeout - waited).milliseconds)
  }

  private func drainQueue() {
    guard let session, session.isReady else { return }
    while session.inFlight < spec.maxConcurrency, let call = queue.popFirst() {
      if !call.isFinished { send(call, to: session, waited: now() - call.queuedAt) }
    }
  }

  private func failQueue(_ error: HostError) {
    let waiting = queue
    queue.removeAll()
    for call in waiting { call.fail(error) }
  }

  // MARK: Lifecycle

  /// Somebody waits in the queue: starts the guest, or sees to it that it is started once its backoff is over.
  private func demand() {
    apply(.demand)
    guard case .backoff(let until) = lifecycle.state, !retryIsScheduled else { return }
    retryIsScheduled = true
    eventLoop.assumeIsolated().scheduleTask(in: max(until - now(), .milliseconds(1))) {
      self.retryIsScheduled = false
      if !self.queue.isEmpty { self.demand() }
    }
  }

  private func apply(_ event: GuestLifecycle.Event) {
    let action = lifecycle.handle(event, now: now(), jitter: jitter())
    switch action {
    case .none: break
    case .launch: launch()
    case .shutdown:
      session?.shutdown(reason: "stop", graceMs: spec.stopGrace.milliseconds)
    case .kill: process?.kill()
    }
    publish()
    if case .stopped = lifecycle.state {
      release(&stopWaiters)
      // Whoever waited for a guest that was stopped on its way up waits no more.
      release(&readyWaiters)
    }
  }

  private func release(_ waiters: inout [EventLoopPromise<Void>]) {
    let waiting = waiters
    waiters = []
    for promise in waiting { promise.succeed(()) }
  }

  private func launch() {
    launchGeneration += 1
    let generation = launchGeneration
    let spec = spec
    // Its own task: starting waits for the kernel, and the event loop must not.
    Task {
      do throws(HostError) {
        let started = try await starter.start(spec)
        eventLoop.execute { self.launched(started, generation: generation) }
        let exit = await started.process.waitForExit()
        eventLoop.execute { self.exited(exit, generation: generation) }
      } catch {
        eventLoop.execute { self.failedToStart(error) }
      }
    }
  }

  private func launched(_ started: StartedGuest, generation: Int) {
    process = started.process
    let session = GuestSession(
      limits: limits, handshake: handshake, service: makeService(started), owner: self,
      now: now)
    self.session = session
    let bound = NIOLoopBound(session, eventLoop: eventLoop)
    let adopted = ClientBootstrap(group: eventLoop)
      .channelOption(.autoRead, value: false)
      .channelOption(
        .recvAllocator,
        value: AdaptiveRecvByteBufferAllocator(
          minimum: 4_096, initial: 16_384, maximum: 262_144)
      )
      .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 18, high: 1 << 20))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(bound.value)
        }
      }
      .withConnectedSocket(started.socket)
    adopted.whenComplete { result in
      switch result {
      case .success(let channel): channel.read()
      case .failure: started.process.kill()
      }
    }
    // Stopped while it was on its way up.
    if case .stopping = lifecycle.state { started.process.kill() }
    publish()
  }

  private func failedToStart(_ error: HostError) {
    lastFailure = error.message
    journal.note(.startFailed, error.description)
    failQueue(
      HostError(
        .upstream, "start_failed", "the app could not be started", log: error.description))
    // The state is published before anyone who waited reads it.
    apply(.startFailed)
    release(&readyWaiters)
  }

  private func exited(_ exit: GuestExit, generation: Int) {
    guard generation == launchGeneration else { return }
    process = nil
    guard let session, !session.isOver else { return concludeExit(exit) }
    unreadExit = (exit, now())
    session.readToEnd()
  }

  /// The process is gone and all it sent was read.
  private func concludeExit(_ exit: GuestExit) {
    unreadExit = nil
    let wasStarting = if case .starting = lifecycle.state { true } else { false }
    let wasStopping = if case .stopping = lifecycle.state { true } else { false }
    session = nil
    if exit.oomKilled { journal.note(.oom, "the app went over its memory limit") }
    if exit.processLimitHit { journal.note(.pids, "the app went over its process limit") }
    if wasStopping {
      journal.note(.stopped, "the app stopped: it \(exit.description)")
    } else {
      lastFailure = endReason?.description ?? "it \(exit.description)"
      let why = endReason.map { " (\($0.reason.rawValue))" } ?? ""
      journal.note(
        wasStarting ? .startFailed : .crashed,
        "the app \(exit.description)\(why)\(wasStarting ? " before it was ready" : "")")
    }
    if wasStarting {
      failQueue(
        HostError(
          .upstream, "start_failed", "the app could not be started: \(lastFailure)"))
    }
    endReason = nil
    hungUpAt = nil
    var waiters = wasStarting ? readyWaiters : []
    if wasStarting { readyWaiters = [] }
    apply(.exited)
    release(&waiters)
    // A guest that was to go is gone, even if somebody already waits for the next.
    if wasStopping { release(&stopWaiters) }
    resumeAfterCrash()
  }

  /// Calls that were waiting when the guest crashed get a second guest once the backoff is over, if that is soon.
  private func resumeAfterCrash() {
    guard case .backoff(let until) = lifecycle.state, !queue.isEmpty else { return }
    if until - now() > Self.backoffWaitMax { return failQueue(backoffError(until: until)) }
    demand()
  }

  private var limits: FrameLimits {
    var limits = FrameLimits()
    limits.toGuest = spec.maxConcurrency
    return limits
  }

  private var handshake: JSONValue {
    let limits = limits
    return [
      "protocol": [1],
      "host": ["name": "bulkhead", "version": .string(hostVersion)],
      "app": [
        "id": .string(spec.appID), "name": .string(spec.name), "version": .string(spec.version),
        "build": .int(spec.build),
      ],
      "config": [:],
      "limits": [
        "jsonBytes": .int(Int64(limits.jsonBytes)), "frameBytes": .int(Int64(limits.frameBytes)),
        "toGuest": .int(Int64(limits.toGuest)), "toHost": .int(Int64(limits.toHost)),
        "streamCredit": .int(Int64(limits.streamCredit)),
      ],
      "grants": ["sqlite": .array(spec.databases.map { .string($0.name) })],
    ]
  }

  // MARK: Time

  /// Called about once a second on the event loop.
  package func tick(now: NIODeadline) {
    expireQueue(now: now)
    if !queue.isEmpty { demand() }
    if let session {
      session.expire(now: now, deadline: Self.answerTimeout)
      session.tick(now: now)
      if session.isReady, session.inFlight == 0, queue.isEmpty, !session.hasGuestRequests,
        let idleTimeout = spec.idleTimeout, now - lastActivity > idleTimeout
      {
        journal.note(.idle, "nothing to do for a while: stopping the app until it is called")
        apply(.stop)
      }
    }
    endIfLate(now: now)
    apply(.tick)
  }

  /// Ends a guest that does not come up, or that closed its socket and lives on.
  private func endIfLate(now: NIODeadline) {
    if case .starting(let since) = lifecycle.state, now - since > spec.startTimeout {
      session?.end(
        ProtocolViolation(
          .handshakeTimeout,
          "initialize was not answered within \(spec.startTimeout.milliseconds) ms"))
    }
    if let unread = unreadExit, now - unread.since > Self.hangUpGrace { session?.end(nil) }
    if let since = hungUpAt, now - since > Self.hangUpGrace, endReason == nil {
      end(ProtocolViolation(.socketClosed, "the guest closed its socket and did not exit"))
    }
  }

  private func end(_ reason: ProtocolViolation) {
    endReason = reason
    journal.note(.violation, reason.description)
    process?.kill()
  }

  private func expireQueue(now: NIODeadline) {
    while let first = queue.first, now - first.queuedAt > Self.queueTimeout {
      _ = queue.popFirst()
      first.fail(
        HostError(
          .overloaded, "queue_timeout", "the app had no place for this request in 30 s",
          data: [("retryAfter", 5)]))
    }
  }

  private func publish() {
    let (state, since): (RunnerState, NIODeadline?) =
      switch lifecycle.state {
      case .stopped: (isEnabled ? .stopped : .disabled, nil)
      case .starting(let since): (.starting, since)
      case .running(let since): (.running, since)
      case .stopping: (.stopping, nil)
      case .backoff(let until): (.backoff, until)
      }
    published.set(
      .init(
        state: state, since: since, pid: process?.pid, restarts: lifecycle.restarts,
        lastFailure: lifecycle.failures > 0 ? lastFailure : nil))
  }
}

// MARK: The operator

extension AppRunner {
  /// Starts the guest and waits until it is ready or has failed. Enables an app that was stopped.
  package func startNow() async {
    await withPromise { promise in
      self.isEnabled = true
      if case .running = self.lifecycle.state { return promise.succeed(()) }
      self.readyWaiters.append(promise)
      // An operator's word overrides the backoff.
      self.apply(self.lifecycle.isStartable ? .restart : .demand)
    }
  }

  /// Stops the guest and keeps it stopped; waits until it is gone.
  package func stopNow(disable: Bool) async {
    await withPromise { promise in
      if disable { self.isEnabled = false }
      self.failQueue(HostError(.overloaded, "stopped", "the app is stopped by its operator"))
      self.stopWaiters.append(promise)
      self.apply(.stop)
    }
  }

  /// Stops the guest if it runs, and starts it (again).
  package func restartNow() async {
    await withPromise { promise in
      self.isEnabled = true
      self.readyWaiters.append(promise)
      self.apply(.restart)
    }
  }

  /// Takes a new version into use: the next start runs it, and a running guest is restarted.
  package func replace(spec: GuestSpec) async {
    // One on its way up runs the old version as well.
    let wasRunning = [.starting, .running].contains(published.current.state)
    await withPromise { promise in
      self.spec = spec
      self.lifecycle = self.lifecycle.with(
        startTimeout: spec.startTimeout, stopGrace: spec.stopGrace)
      promise.succeed(())
    }
    if wasRunning { await restartNow() }
  }

  private func withPromise(_ body: @escaping @Sendable (EventLoopPromise<Void>) -> Void) async {
    let promise = eventLoop.makePromise(of: Void.self)
    eventLoop.execute { body(promise) }
    // These promises are only ever succeeded.
    try? await promise.futureResult.get()
  }
}

extension AppRunner: GuestSessionOwner {
  func sessionIsReady(_ session: GuestSession, handles: Set<String>) {
    guard session === self.session else { return }
    self.handles = handles
    lastActivity = now()
    apply(.ready)
    // It may have been told to stop while it was answering.
    guard case .running = lifecycle.state else { return }
    journal.note(.started, "the app is ready")
    release(&readyWaiters)
    drainQueue()
  }

  func sessionFinishedCall(_ session: GuestSession) {
    guard session === self.session else { return }
    lastActivity = now()
    drainQueue()
  }

  func sessionEnded(_ session: GuestSession, violation: ProtocolViolation?) {
    guard session === self.session else { return }
    if let violation { end(violation) }
    if let unread = unreadExit { return concludeExit(unread.exit) }
    if violation != nil { return }
    // A guest without its socket is of no use. Most often it is about to exit, and its exit says more than a kill would;
    // one that was asked to stop has its grace.
    if case .stopping = lifecycle.state { return }
    hungUpAt = now()
  }
}

extension TimeAmount {
  var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
