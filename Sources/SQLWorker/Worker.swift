// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import Locks
import SQLEngine
import Synchronization

/// One app's SQL: takes requests from its sockets and carries them out.
final class Worker: @unchecked Sendable {
  let plan: SQLPlan
  let quota: StorageQuota
  let databases: Databases
  let transactions = TransactionRegistry()
  let threads = ThreadRegistry()
  let statistics = Statistics()
  let watchdog = Watchdog()
  let control: Channel
  let direct: Channel?
  let openedSockets = OpenedSockets()

  init(plan: SQLPlan, control: Int32, direct: Int32?) {
    self.plan = plan
    quota = StorageQuota(total: plan.quotaBytes)
    databases = Databases(plan: plan, quota: quota)
    self.control = Channel(kind: .control, descriptor: control, threadsMax: plan.threads)
    self.direct = direct.map { Channel(kind: .direct, descriptor: $0, threadsMax: plan.threads) }
  }

  /// Serves until the control socket ends.
  func run() {
    control.send(ReplyFrame.notification("sql.ready", ["protocol": 1]), flush: true)
    let started =
      startThread { [self] in watchdog.run(self) }
      && (direct.map { direct in startThread { [self] in direct.serve(self) } } ?? true)
    guard started else { return }
    control.serve(self)
    // The lead of the control socket may have passed to another thread, which ends the process.
    while true { pause() }
  }

  var channels: [Channel] { [control] + (direct.map { [$0] } ?? []) + openedSockets.all }

  func handle(_ frame: Frame, on thread: ServingThread) {
    guard let channel = thread.channel else { return }
    do throws(ProtocolViolation) {
      switch try Message(frame.json) {
      case .request(let request): carryOut(request, frame.body, channel, on: thread)
      case .notification(let method, let params): try note(method, params, channel)
      case .response:
        throw ProtocolViolation(.responseUnknownID, "an answer to a question nobody asked")
      }
    } catch {
      report(violation: error, on: channel)
      channel.abort()
    }
  }

  private func carryOut(
    _ request: Message.Request, _ body: [UInt8], _ channel: Channel, on thread: ServingThread
  ) {
    let patience = min(request.meta.deadlineMs ?? plan.deadlineMs, plan.deadlineMaxMs)
    let call = Call(
      request, body: body, channel: channel, deadline: Monotonic.after(milliseconds: patience))
    statistics.calls.add(1, ordering: .relaxed)
    do throws(HostError) {
      guard request.stream == nil else {
        throw HostError(.unsupported, "stream", "a sql request carries its values in one frame")
      }
      let frame = try dispatch(call, on: thread)
      if !frame.isEmpty { thread.answer(call, frame) }
    } catch {
      fail(call, error, on: thread)
    }
  }

  func fail(_ call: Call, _ error: HostError, on thread: ServingThread) {
    statistics.errors.add(1, ordering: .relaxed)
    if !error.logDetail.isEmpty { log("\(call.method): \(error)") }
    thread.answer(call, ReplyFrame.error(call.id, error))
  }

  private func note(
    _ method: String, _ params: JSONValue, _ channel: Channel
  ) throws(ProtocolViolation) {
    switch try StreamSignal(method: method, params: params) {
    case .credit(let stream, let bytes): channel.streams.find(stream)?.grant(bytes)
    case .stop(let stream): channel.streams.find(stream)?.stop()
    case .cancel(let id): cancel(id, on: channel)
    case .data: throw ProtocolViolation(.streamUnknown, "no stream is received here")
    case nil: if channel.kind == .control { noteFromHost(method, params) }
    }
  }

  private func noteFromHost(_ method: String, _ params: JSONValue) {
    switch method {
    case "sql.quota": if let bytes = params["bytes"]?.int, bytes >= 0 { quota.set(total: bytes) }
    case "sql.guest_ended": endTransactions { $0 === control }
    default: break
    }
  }

  /// Stops what runs for a request; what waits is taken out by the watchdog at its next round.
  private func cancel(_ id: RequestID, on channel: Channel) {
    for thread in threads.all {
      guard let call = thread.running.withLock({ $0?.call }), call.id == id,
        call.channel === channel
      else { continue }
      call.cancel()
    }
    for database in databases.open {
      for call in database.openLane?.waiting ?? [] where call.id == id && call.channel === channel {
        call.cancel()
      }
    }
    watchdog.noteWork()
  }
}

extension Worker {
  /// A socket has ended: nobody is left to take answers from it.
  func ended(_ channel: Channel) {
    // What is on disk is safe: the log is replayed at the next start.
    if channel.kind == .control { _exit(0) }
    if channel.kind == .opened {
      // A thread of the guest has ended. Its transactions may have passed to another.
      openedSockets.remove(channel)
      statistics.noteEnd(of: channel)
    } else {
      endTransactions { $0 !== control }
      for channel in openedSockets.all { channel.abort() }
    }
    for thread in threads.all {
      if let call = thread.running.withLock({ $0?.call }), call.channel === channel {
        call.cancel()
      }
    }
    guard channel.kind == .direct else { return }
    control.send(ReplyFrame.notification("sql.direct_ended", [:]), flush: true)
  }

  private func endTransactions(of isEnded: (Channel) -> Bool) {
    for transaction in transactions.all where isEnded(transaction.channel) {
      transaction.abandon()
    }
    watchdog.noteWork()
  }

  /// Works a lane off on a thread of its own.
  func drain(_ lane: Lane) {
    let started = startThread { [self] in
      let thread = ServingThread(channel: nil, worker: self)
      threads.insert(thread)
      lane.drain(on: thread)
      threads.remove(thread)
    }
    if !started { giveUp(on: nil) }
  }

  func report(violation: ProtocolViolation, on channel: Channel) {
    log("\(channel.kind.rawValue) socket: \(violation)")
    control.send(
      ReplyFrame.notification(
        "sql.violation",
        [
          "socket": .string(channel.kind.rawValue), "reason": .string(violation.reason.rawValue),
          "detail": .string(violation.detail),
        ]), flush: true)
  }

  func reportStatistics() {
    control.send(
      ReplyFrame.notification("sql.stats", statistics.report(databases, channels)), flush: true)
  }

  /// Tells of a damaged database, once.
  func noteDamage(_ error: HostError, _ database: Database) {
    guard error.code == "sql.corrupt", database.noteDamage() else { return }
    control.send(
      ReplyFrame.notification(
        "sql.corrupt", ["database": .string(database.name), "detail": .string(error.message)]),
      flush: true)
  }

  /// Ends the worker because a statement does not come back. Every request is answered first: the stuck one with its
  /// deadline, the others with what is known of them.
  func giveUp(on stuck: Call?) -> Never {
    var last: [(channel: Channel, frame: [UInt8])] = []
    func add(_ call: Call, _ error: HostError) {
      if call.claim() { last.append((call.channel, ReplyFrame.error(call.id, error))) }
    }
    if let stuck { add(stuck, SQLFailure.deadline) }
    for thread in threads.all {
      if let call = thread.running.withLock({ $0?.call }) { add(call, Self.interrupted) }
    }
    for lane in databases.open.compactMap(\.openLane) + transactions.all.compactMap(\.lane) {
      for call in lane.waiting { add(call, Self.restarted) }
    }
    for channel in channels {
      channel.sendLast(last.filter { $0.channel === channel }.map(\.frame))
    }
    control.sendLast([
      ReplyFrame.notification("sql.gave_up", ["reason": .string(SQLFailure.deadline.code)])
    ])
    _exit(Watchdog.exitStatus)
  }

  private static let interrupted = HostError(
    .sql, "interrupted",
    "the SQL worker was restarted while the statement ran, because of another that did not end; what it wrote may or "
      + "may not have been kept")
  private static let restarted = HostError(
    .overloaded, "sql_restarted",
    "the SQL worker was restarted because of a statement that did not end; nothing was done, try again"
  )

  /// One line to the app's log.
  func log(_ line: String) {
    let text = Array("sql: \(line)\n".utf8)
    _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
  }
}
