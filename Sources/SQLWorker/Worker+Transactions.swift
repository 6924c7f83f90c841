// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine

extension Worker {
  /// `sql.begin`. A writing transaction has the database's writer to itself; a reading one has a connection that keeps
  /// seeing the database as it was.
  func begin(_ call: Call, on thread: ServingThread) throws(HostError) -> [UInt8] {
    let database = try database(call)
    let mode: OpenTransaction.Mode
    switch call.params["mode"] {
    case nil, .string("write"): mode = .write
    case .string("read"): mode = .read
    default: throw SQLFailure.params("\"mode\" must be \"read\" or \"write\"")
    }
    let wanted = call.params["deadlineMs"]
    guard wanted == nil || (1...plan.transactionMaxMs).contains(wanted?.int ?? 0) else {
      throw SQLFailure.params("\"deadlineMs\" must be from 1 to \(plan.transactionMaxMs)")
    }
    let patience = wanted?.int ?? plan.transactionMs
    guard let id = transactions.reserve(max: plan.transactionsMax) else {
      throw HostError(
        .overloaded, "sql_transactions",
        "\(plan.transactionsMax) interactive transactions are open already")
    }
    let open = { [self] (lane: Lane) in
      let transaction = OpenTransaction(
        id: id, mode: mode, database: database, channel: call.channel,
        deadline: Monotonic.after(milliseconds: patience)
      ) { [self] in transactions.remove($0) }
      transaction.lane = lane
      lane.begin(transaction)
      transactions.insert(transaction)
    }
    let result = reply(call, ["transaction": .int(id)])
    switch mode {
    case .read: return try beginReading(call, database, open, result, on: thread)
    case .write: return try beginWriting(call, database, open, result, on: thread)
    }
  }

  private func beginWriting(
    _ call: Call, _ database: Database, _ open: @escaping (Lane) -> Void, _ result: [UInt8],
    on thread: ServingThread
  ) throws(HostError) -> [UInt8] {
    // The reservation is given back by whoever answers without opening.
    let reservation = Reservation(transactions)
    return try submit(call, to: database, in: nil, on: thread) { connection, _ throws(HostError) in
      try connection.own("BEGIN IMMEDIATE")
      guard let lane = database.openLane else { throw Lane.gone }
      reservation.use()
      open(lane)
      return result
    }
  }

  private func beginReading(
    _ call: Call, _ database: Database, _ open: (Lane) -> Void, _ result: [UInt8],
    on thread: ServingThread
  ) throws(HostError) -> [UInt8] {
    let reservation = Reservation(transactions)
    let reader = try opened(database).takeReader()
    do throws(HostError) {
      try thread.run(call, on: reader) { () throws(HostError) in
        try reader.own("BEGIN")
        // The snapshot is taken by the first read, not by BEGIN.
        try reader.own("SELECT 1 FROM sqlite_schema LIMIT 1")
      }
    } catch {
      if reader.isInTransaction { _ = try? reader.own("ROLLBACK") }
      database.giveBack(reader)
      throw error
    }
    reservation.use()
    open(
      Lane(
        connection: reader, queueMax: plan.queueMax,
        after: { connection in database.giveBack(connection) }))
    return result
  }

  /// `sql.commit` and `sql.rollback`. A commit that a deferred constraint refuses leaves the transaction open.
  func end(
    _ call: Call, _ statement: String, on thread: ServingThread
  ) throws(HostError) -> [UInt8] {
    guard let open = try transaction(call) else {
      throw SQLFailure.params("\"transaction\" is missing")
    }
    return try submit(call, to: open.database, in: open, on: thread) {
      [self] connection, _ throws(HostError) in
      try connection.own(statement)
      return reply(call, [:])
    }
  }
}

/// One place among the open transactions, given back if it is not used.
private final class Reservation: @unchecked Sendable {
  private let registry: TransactionRegistry
  // SAFETY: set on the thread that serves the job, before the job and with it this object goes.
  private var isUsed = false

  init(_ registry: TransactionRegistry) { self.registry = registry }
  func use() { isUsed = true }
  deinit { if !isUsed { registry.release() } }
}
