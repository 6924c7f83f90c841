// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import SQLEngine
import SQLite

/// One piece of work for a lane.
final class Job: @unchecked Sendable {
  let call: Call
  /// The interactive transaction it belongs to.
  let transaction: OpenTransaction?
  /// May share a database transaction with its neighbours in the queue.
  let isPlainWrite: Bool
  // SAFETY: run once, by the thread that serves the lane.
  let work: (ServingThread) throws(HostError) -> [UInt8]

  init(
    _ call: Call, in transaction: OpenTransaction? = nil, isPlainWrite: Bool = false,
    _ work: @escaping (ServingThread) throws(HostError) -> [UInt8]
  ) {
    self.call = call
    self.transaction = transaction
    self.isPlainWrite = isPlainWrite
    self.work = work
  }
}

/// Work on one connection, one piece after the other. No thread of its own: whoever brings work to a free lane does
/// it and then what has gathered meanwhile; whoever finds it busy leaves the work and goes on.
final class Lane: @unchecked Sendable {
  // SAFETY: used by the thread that set `isRunning` only.
  let connection: GuardedConnection
  private let queueMax: Int
  // SAFETY: guarded by `monitor`.
  private let monitor = Monitor()
  private var isRunning = false
  private var isClosed = false
  private var transaction: OpenTransaction?
  private var queue: [Job] = []
  private var transactionQueue: [Job] = []

  /// Plain writes that share one database transaction at most.
  private static let groupMax = 64

  /// Called with the connection before work is begun and after it is done, outside of transactions.
  private let before: @Sendable (GuardedConnection) -> Void
  private let after: @Sendable (GuardedConnection) -> Void

  init(
    connection: GuardedConnection, queueMax: Int,
    before: @escaping @Sendable (GuardedConnection) -> Void = { _ in },
    after: @escaping @Sendable (GuardedConnection) -> Void = { _ in }
  ) {
    self.connection = connection
    self.queueMax = queueMax
    self.before = before
    self.after = after
  }

  /// Does the job now, on this thread, or leaves it to the one that is busy here.
  func submit(_ job: Job, on thread: ServingThread) throws(HostError) {
    guard try admit(job) else { return }
    // A commit waits for the disk: somebody else may read on.
    thread.handOver()
    serve([job], on: thread)
  }

  /// True if the lane is the caller's now.
  private func admit(_ job: Job) throws(HostError) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    guard !isClosed else { throw Self.gone }
    if let wanted = job.transaction {
      guard wanted === transaction, !wanted.isEnded else { throw OpenTransaction.ended }
      return try enter(job, &transactionQueue)
    }
    guard transaction == nil else {
      try append(job, &queue)
      return false
    }
    return try enter(job, &queue)
  }

  private func enter(_ job: Job, _ queue: inout [Job]) throws(HostError) -> Bool {
    if isRunning {
      try append(job, &queue)
      return false
    }
    isRunning = true
    return true
  }

  private func append(_ job: Job, _ queue: inout [Job]) throws(HostError) {
    guard queue.count < queueMax else {
      throw HostError(
        .overloaded, "sql_queue", "\(queueMax) requests already wait for this database's writer")
    }
    queue.append(job)
  }

  static let gone = HostError(
    .overloaded, "sql_busy", "the database was deleted while the request waited; try again")

  private func serve(_ first: [Job], on thread: ServingThread) {
    var jobs = first
    while !jobs.isEmpty {
      perform(jobs, on: thread)
      jobs = next()
    }
  }

  /// What to do next, or nothing: then the lane is free.
  private func next() -> [Job] {
    settleTransaction()
    return monitor.locked {
      let jobs: [Job]
      if transaction != nil {
        jobs = transactionQueue.isEmpty ? [] : [transactionQueue.removeFirst()]
      } else if let first = queue.first, first.isPlainWrite {
        jobs = Array(queue.prefix(Self.groupMax).prefix { $0.isPlainWrite })
        queue.removeFirst(jobs.count)
      } else {
        jobs = queue.isEmpty ? [] : [queue.removeFirst()]
      }
      if jobs.isEmpty { isRunning = false }
      return jobs
    }
  }
}

extension Lane {
  /// Within a job: from now on only this transaction's work is done here.
  func begin(_ opened: OpenTransaction) { monitor.locked { transaction = opened } }

  /// Ends what has to be ended: committed, rolled back by SQLite itself, or past its deadline.
  private func settleTransaction() {
    guard let open = monitor.locked({ transaction }) else { return }
    defer { if open.isEnded, !connection.isInTransaction { after(connection) } }
    if !open.isEnded, connection.isInTransaction, !open.isExpired { return }
    if connection.isInTransaction { _ = try? connection.own("ROLLBACK") }
    open.end()
    let orphans = monitor.locked {
      transaction = nil
      defer { transactionQueue = [] }
      return transactionQueue
    }
    for job in orphans {
      job.call.answer(ReplyFrame.error(job.call.id, OpenTransaction.ended), flush: true)
    }
  }

  /// For the watchdog: takes the lane if a transaction on it is over and nobody works here. The caller then owes `drain`.
  func takeForSettling() -> Bool {
    monitor.locked {
      guard !isRunning, let open = transaction, open.isExpired || open.isEnded else { return false }
      isRunning = true
      return true
    }
  }

  /// Settles and does what waits.
  func drain(on thread: ServingThread) { serve(next(), on: thread) }

  /// For the watchdog: takes out what waited too long or is not wanted any more.
  func expireQueued(now: UInt64) -> [Call] {
    monitor.locked {
      let isOver = { (job: Job) in job.call.deadline < now || job.call.isCancelled }
      let over = queue.filter(isOver).map(\.call)
      if !over.isEmpty { queue.removeAll(where: isOver) }
      return over
    }
  }

  /// True once nobody works here, and from then on nobody does.
  func waitUntilFree(_ deadline: UInt64) -> Bool {
    while Monotonic.now < deadline {
      if monitor.locked({
        isRunning
          ? false
          : {
            isRunning = true; return true
          }()
      }) {
        return true
      }
      usleep(1_000)
    }
    return false
  }

  var waiting: [Call] { monitor.locked { (queue + transactionQueue).map(\.call) } }

  /// Within a job, or before any: nothing is done here again.
  func close() {
    let orphans = monitor.locked {
      isClosed = true
      defer { queue = [] }
      return queue
    }
    for job in orphans {
      job.call.answer(ReplyFrame.error(job.call.id, Self.gone), flush: true)
    }
  }
}

extension Lane {
  private func perform(_ jobs: [Job], on thread: ServingThread) {
    if !connection.isInTransaction { before(connection) }
    if jobs.count > 1, performTogether(jobs, on: thread) { return }
    for job in jobs {
      let outcome = outcome(of: job, on: thread)
      settleTransaction()
      settle()
      finish(job, outcome, on: thread)
    }
  }

  /// Before the answer goes out: whoever has it must find the figures as it left them.
  private func settle() {
    if !isClosedNow, !connection.isInTransaction { after(connection) }
  }

  private var isClosedNow: Bool { monitor.locked { isClosed } }

  private func outcome(of job: Job, on thread: ServingThread) -> Result<[UInt8], HostError> {
    do throws(HostError) {
      guard !job.call.isCancelled else { throw SQLFailure.cancelled }
      guard Monotonic.now < job.call.deadline else { throw Self.waited }
      return .success(try job.work(thread))
    } catch {
      return .failure(error)
    }
  }

  static let waited = HostError(
    .overloaded, "sql_busy",
    "another transaction held the database for as long as the request could wait; nothing was done")

  private func finish(
    _ job: Job, _ outcome: Result<[UInt8], HostError>, on thread: ServingThread
  ) {
    switch outcome {
    case .success(let frame): if !frame.isEmpty { thread.answer(job.call, frame) }
    case .failure(let error): thread.answer(job.call, ReplyFrame.error(job.call.id, error))
    }
  }

  /// Several writers, one commit: each in its savepoint, all answered once the whole is on disk. False if the whole
  /// could not be kept; then nothing was, and each is done by itself.
  private func performTogether(_ jobs: [Job], on thread: ServingThread) -> Bool {
    var outcomes: [Result<[UInt8], HostError>] = []
    do throws(HostError) {
      try connection.own("BEGIN IMMEDIATE")
      for job in jobs {
        try connection.own("SAVEPOINT bulkhead_group")
        let outcome = outcome(of: job, on: thread)
        // ON CONFLICT ROLLBACK and its like end the whole transaction, the neighbours' work with it.
        guard connection.isInTransaction else { return false }
        if case .failure = outcome { try connection.own("ROLLBACK TO bulkhead_group") }
        try connection.own("RELEASE bulkhead_group")
        outcomes.append(outcome)
      }
      try connection.own("COMMIT")
    } catch {
      if connection.isInTransaction { _ = try? connection.own("ROLLBACK") }
      return false
    }
    settle()
    for (job, outcome) in zip(jobs, outcomes) { finish(job, outcome, on: thread) }
    return true
  }
}
