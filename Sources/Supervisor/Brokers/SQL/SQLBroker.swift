// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import NIOCore
import NIOPosix

/// One app's way to its SQL worker: starts it on first use, relays requests, ends it when it is stuck or idle.
///
/// SAFETY: mutable state is confined to `eventLoop`.
final class SQLBroker: @unchecked Sendable {
  private enum Worker {
    case none
    case starting
    case running(SQLWorkerLink, any GuestProcess)
  }

  struct Waiting {
    var request: ServiceRequest
    var reply: @Sendable (ServiceReply) -> Void
  }

  let eventLoop: any EventLoop
  private let starter: any SQLWorkerStarter
  private let watcher: ReadinessWatcher
  private let journal: any AppJournal
  private let storage: StorageAccount
  private let hostWork: HostWork?
  private var spec: GuestSpec
  private var worker: Worker = .none
  private var generation = 0
  private var waiting: [Waiting] = []
  /// The host's end of the running guest's own SQL socket, until it is handed to a worker.
  private var directSocket: CInt?
  private var lastUse: NIODeadline = .now()
  private(set) var statistics: JSONValue = .null

  /// Requests that may wait for a worker on its way up.
  static let waitingMax = 256
  /// What a request may take when it says nothing, and at most.
  static let deadlineDefault: TimeAmount = .seconds(5)
  static let deadlineMax: TimeAmount = .seconds(30)
  /// What the worker's own watchdog gets before the host ends it.
  static let deadlineGrace: TimeAmount = .seconds(2)

  init(
    spec: GuestSpec, eventLoop: any EventLoop, starter: any SQLWorkerStarter,
    watcher: ReadinessWatcher, journal: any AppJournal, storage: StorageAccount,
    hostWork: HostWork?
  ) {
    self.spec = spec
    self.eventLoop = eventLoop
    self.starter = starter
    self.watcher = watcher
    self.journal = journal
    self.storage = storage
    self.hostWork = hostWork
    storage.observe { [weak self] in self?.tellQuota() }
  }

  /// What databases may hold changed with the limit, or with what else the app keeps.
  private func tellQuota() {
    eventLoop.execute { [self] in
      if case .running(let link, _) = worker { link.tell(quota: storage.share(of: .sqlite)) }
    }
  }

  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
    eventLoop.execute { self.accept(Waiting(request: request, reply: reply)) }
  }

  private func accept(_ call: Waiting) {
    lastUse = .now()
    switch worker {
    case .running(let link, _): send(call, over: link)
    case .none, .starting:
      guard waiting.count < Self.waitingMax else {
        return call.reply(
          .failure(HostError(.overloaded, "sql", "too many statements wait for the SQL worker")))
      }
      waiting.append(call)
      startIfNeeded()
    }
  }

  private func send(_ call: Waiting, over link: SQLWorkerLink) {
    let asked =
      call.request.meta.deadlineMs.map { TimeAmount.milliseconds($0) } ?? Self.deadlineDefault
    let until = NIODeadline.now() + min(asked, Self.deadlineMax) + Self.deadlineGrace
    link.send(call.request, until: until, reply: call.reply)
  }

  private func startIfNeeded() {
    guard case .none = worker else { return }
    worker = .starting
    generation += 1
    let current = generation
    var spec = spec
    spec.sqlBytesMax = storage.share(of: .sqlite)
    let started = spec
    let direct = directSocket
    directSocket = nil
    if let direct { watcher.forget(direct) }
    Task {
      do throws(HostError) {
        let up = try await starter.startSQLWorker(started, directSocket: direct)
        eventLoop.execute { self.started(up, generation: current) }
        let exit = await up.process.waitForExit()
        eventLoop.execute { self.exited(exit, generation: current) }
      } catch {
        eventLoop.execute { self.failedToStart(error, generation: current) }
      }
    }
  }

  private func started(_ started: StartedGuest, generation current: Int) {
    guard current == generation else {
      close(started.socket)
      return started.process.kill()
    }
    let link = SQLWorkerLink(
      hostWork: hostWork,
      onStatistics: { [weak self] in self?.take(statistics: $0) },
      onTrouble: { [weak self] method, params in
        self?.journal.note(
          method == "sql.corrupt" ? .corrupt : .violation,
          "SQL worker: \(params.text.prefix(1_024))")
      },
      onEnd: { [weak self] violation in
        if let violation { self?.journal.note(.violation, "SQL worker: \(violation)") }
        started.process.kill()
      })
    let bound = NIOLoopBound(link, eventLoop: eventLoop)
    worker = .running(link, started.process)
    ClientBootstrap(group: eventLoop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(bound.value)
        }
      }
      .withConnectedSocket(started.socket)
      .whenFailure { _ in started.process.kill() }
    // It may have changed while the worker was on its way up.
    link.tell(quota: storage.share(of: .sqlite))
    let queued = waiting
    waiting = []
    for call in queued { send(call, over: link) }
  }

  private func take(statistics: JSONValue) {
    self.statistics = statistics
    // A worker is believed about its own app only, and within bounds.
    if let bytes = statistics["storedBytes"]?.int {
      storage.note(.sqlite, bytes: min(max(0, bytes), 1 << 50))
    }
  }

  private func failedToStart(_ error: HostError, generation current: Int) {
    guard current == generation else { return }
    worker = .none
    journal.note(.startFailed, "the SQL worker: \(error.description)")
    let failure = HostError(
      .upstream, "sql", "the app's SQL worker could not be started", log: error.description)
    let queued = waiting
    waiting = []
    for call in queued { call.reply(.failure(failure)) }
  }

  private func exited(_ exit: GuestExit, generation current: Int) {
    guard current == generation else { return }
    if case .running(let link, _) = worker { link.end(nil) }
    worker = .none
    if exit.cause != .exited(0), exit.cause != .signaled(9) {
      journal.note(.crashed, "the SQL worker \(exit.description)")
    }
    if exit.oomKilled { journal.note(.oom, "the SQL worker went over the app's memory limit") }
    if !waiting.isEmpty { startIfNeeded() }
  }

  /// A guest has started with an SQL socket of its own. Its worker starts when the first byte comes.
  func guestArrived(directSocket socket: CInt) {
    eventLoop.execute { [self] in
      dropDirectSocket()
      // A worker of the guest before, or of the operator, does not know this socket.
      endWorker()
      directSocket = socket
      watcher.watch(socket) { [weak self] in
        guard let self else { return }
        eventLoop.execute { self.directSocketIsReadable(socket) }
      }
    }
  }

  private func directSocketIsReadable(_ socket: CInt) {
    guard directSocket == socket else { return }
    lastUse = .now()
    startIfNeeded()
  }

  /// The guest is gone: what it was doing is over.
  func guestLeft() {
    eventLoop.execute { [self] in
      dropDirectSocket()
      endWorker()
    }
  }

  private func dropDirectSocket() {
    guard let socket = directSocket else { return }
    watcher.forget(socket)
    close(socket)
    directSocket = nil
  }

  private func endWorker() {
    generation += 1
    if case .running(let link, let process) = worker {
      link.end(nil)
      process.kill()
    }
    worker = .none
    if !waiting.isEmpty { startIfNeeded() }
  }

  func replace(spec: GuestSpec) { eventLoop.execute { self.spec = spec } }

  /// Called about once a second on the event loop.
  func tick(now: NIODeadline) {
    if case .running(let link, _) = worker { link.tick(now: now) }
  }

  var workerPID: Int32? { if case .running(_, let process) = worker { process.pid } else { nil } }
}

/// Starts the process that runs an app's SQL.
protocol SQLWorkerStarter: Sendable {
  /// - Parameter directSocket: the guest's own SQL socket; the starter takes it over, whatever happens.
  func startSQLWorker(
    _ guest: GuestSpec, directSocket: CInt?
  ) async throws(HostError) -> StartedGuest
}
