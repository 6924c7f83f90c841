// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore
import NIOPosix

/// One installed app at run time: its queue of calls, and its guest while there is one.
///
/// SAFETY: all mutable state is confined to `eventLoop`; what other threads read is in `published`.
final class AppRunner: HTTPBackend, @unchecked Sendable {
  let eventLoop: any EventLoop
  private let starter: any GuestStarter
  private let journal: any AppJournal
  /// The host's half of what the guest that has just started may ask for.
  private let makeService: @Sendable (StartedGuest) -> any GuestService
  let published = RunnerPublication()

  private(set) var spec: GuestSpec
  private var lifecycle: GuestLifecycle
  private var isEnabled: Bool
  private var session: GuestSession?
  private var process: (any GuestProcess)?
  private var handles: Set<String> = []
  private var queue = CircularBuffer<GuestCall>()
  private var lastActivity: NIODeadline = .now()
  /// Told when the guest has come up or failed to; the operator's `start` waits here.
  private var readyWaiters: [EventLoopPromise<Void>] = []
  private var stopWaiters: [EventLoopPromise<Void>] = []
  private var launchGeneration = 0
  private var lastFailure = "it has not been started"

  /// Calls that may wait for a place besides those in flight.
  static let queueMax = 256
  /// How long a call may wait for a place.
  static let queueTimeout: TimeAmount = .seconds(30)
  /// How long a guest may take until the head of its answer.
  static let answerTimeout: TimeAmount = .seconds(120)

  init(
    spec: GuestSpec, isEnabled: Bool, eventLoop: any EventLoop, starter: any GuestStarter,
    journal: any AppJournal,
    makeService: @escaping @Sendable (StartedGuest) -> any GuestService
  ) {
    self.spec = spec
    self.isEnabled = isEnabled
    self.eventLoop = eventLoop
    self.starter = starter
    self.journal = journal
    self.makeService = makeService
    lifecycle = GuestLifecycle(startTimeout: spec.startTimeout, stopGrace: spec.stopGrace)
    publish()
  }

  // MARK: Calls

  func start(
    _ head: HTTPRequestHead, body: ByteBuffer, bodyIsComplete: Bool,
    receiver: any HTTPAnswerReceiver
  ) -> any HTTPExchange {
    let call = GuestCall(
      head, body: body, bodyIsComplete: bodyIsComplete, receiver: receiver, loop: eventLoop,
      now: .now())
    if eventLoop.inEventLoop { accept(call) } else { eventLoop.execute { self.accept(call) } }
    return call
  }

  private func accept(_ call: GuestCall) {
    guard !call.isFinished else { return }
    lastActivity = call.queuedAt
    if let session, session.isReady, session.inFlight < spec.maxConcurrency, queue.isEmpty {
      return send(call, to: session)
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
    if case .backoff(let until) = lifecycle.state, until - .now() > .seconds(1) {
      return call.fail(backoffError(until: until))
    }
    call.onAbandonQueued = { [unowned self] call in queue.removeAll { $0 === call } }
    queue.append(call)
    demand()
  }

  private func backoffError(until: NIODeadline) -> HostError {
    let wait = max(1, (until - .now()).nanoseconds / 1_000_000_000 + 1)
    return HostError(
      .overloaded, "backoff", "the app failed and is not started again yet",
      log: lastFailure, data: [("retryAfter", .int(wait))])
  }

  private func send(_ call: GuestCall, to session: GuestSession) {
    call.onAbandonQueued = nil
    guard handles.contains("http.request") else {
      return call.fail(HostError(.notFound, "http", "this app does not answer HTTP"))
    }
    session.start(call, deadlineMs: Self.answerTimeout.nanoseconds / 1_000_000)
  }

  private func drainQueue() {
    guard let session, session.isReady else { return }
    while session.inFlight < spec.maxConcurrency, let call = queue.popFirst() {
      if !call.isFinished { send(call, to: session) }
    }
  }

  private func failQueue(_ error: HostError) {
    let waiting = queue
    queue.removeAll()
    for call in waiting { call.fail(error) }
  }

  // MARK: Lifecycle

  private func demand() { apply(.demand) }

  private func apply(_ event: GuestLifecycle.Event) {
    let action = lifecycle.handle(event, now: .now(), jitter: Double.random(in: -1...1))
    switch action {
    case .none: break
    case .launch: launch()
    case .shutdown:
      session?.shutdown(reason: "stop", graceMs: spec.stopGrace.milliseconds)
    case .kill: process?.kill()
    }
    publish()
    if case .stopped = lifecycle.state { release(&stopWaiters) }
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
      limits: limits, handshake: handshake, service: makeService(started), owner: self)
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
    lastFailure = error.description
    journal.note(.startFailed, error.description)
    failQueue(
      HostError(
        .upstream, "start_failed", "the app could not be started", log: error.description))
    release(&readyWaiters)
    apply(.startFailed)
  }

  private func exited(_ exit: GuestExit, generation: Int) {
    guard generation == launchGeneration else { return }
    process = nil
    let wasStarting = if case .starting = lifecycle.state { true } else { false }
    let wasStopping = if case .stopping = lifecycle.state { true } else { false }
    session?.end(nil)
    session = nil
    if exit.oomKilled { journal.note(.oom, "the app went over its memory limit") }
    if exit.processLimitHit { journal.note(.pids, "the app went over its process limit") }
    if wasStopping {
      journal.note(.stopped, "the app stopped: it \(exit.description)")
    } else {
      lastFailure = "it \(exit.description)"
      journal.note(
        .crashed, "the app \(exit.description)\(wasStarting ? " before it was ready" : "")")
    }
    if wasStarting {
      failQueue(
        HostError(
          .upstream, "start_failed", "the app could not be started: it \(exit.description)"))
      release(&readyWaiters)
    }
    apply(.exited)
    resumeAfterCrash()
  }

  /// Calls that were waiting when the guest crashed get a second guest once the backoff is over.
  private func resumeAfterCrash() {
    guard case .backoff(let until) = lifecycle.state, !queue.isEmpty else { return }
    eventLoop.assumeIsolated().scheduleTask(deadline: until) {
      if !self.queue.isEmpty { self.demand() }
    }
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
  func tick(now: NIODeadline) {
    expireQueue(now: now)
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
    if case .starting(let since) = lifecycle.state, now - since > spec.startTimeout {
      journal.note(.startFailed, "the app did not answer initialize within its start_timeout")
    }
    apply(.tick)
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
  func startNow() async {
    await withPromise { promise in
      self.isEnabled = true
      if case .running = self.lifecycle.state { return promise.succeed(()) }
      self.readyWaiters.append(promise)
      // An operator's word overrides the backoff.
      self.apply(self.lifecycle.isStartable ? .restart : .demand)
    }
  }

  /// Stops the guest and keeps it stopped; waits until it is gone.
  func stopNow(disable: Bool) async {
    await withPromise { promise in
      if disable { self.isEnabled = false }
      self.failQueue(HostError(.overloaded, "stopped", "the app is stopped by its operator"))
      self.stopWaiters.append(promise)
      self.apply(.stop)
    }
  }

  /// Stops the guest if it runs, and starts it (again).
  func restartNow() async {
    await withPromise { promise in
      self.isEnabled = true
      self.readyWaiters.append(promise)
      self.apply(.restart)
    }
  }

  /// Takes a new version into use: the next start runs it, and a running guest is restarted.
  func replace(spec: GuestSpec) async {
    let wasRunning = published.current.state == .running
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
    self.handles = handles
    lastActivity = .now()
    apply(.ready)
    journal.note(.started, "the app is ready")
    release(&readyWaiters)
    drainQueue()
  }

  func sessionFinishedCall(_ session: GuestSession) {
    lastActivity = .now()
    drainQueue()
  }

  func sessionEnded(_ session: GuestSession, violation: ProtocolViolation?) {
    if let violation { journal.note(.violation, violation.description) }
    // A guest without its socket is of no use; its exit ends the story.
    if case .stopping = lifecycle.state, violation == nil { return }
    process?.kill()
  }
}

extension TimeAmount {
  var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
