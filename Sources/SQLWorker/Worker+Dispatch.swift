// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine
import Synchronization

extension Worker {
  /// The answer's frame, or nothing if somebody else answers.
  func dispatch(_ call: Call, on thread: ServingThread) throws(HostError) -> [UInt8] {
    switch call.method {
    case "sql.query": return try statement(call, .query, on: thread)
    case "sql.execute": return try statement(call, .execute, on: thread)
    case "sql.batch": return try batch(call, on: thread)
    case "sql.explain": return try explain(call, on: thread)
    case "sql.begin": return try begin(call, on: thread)
    case "sql.commit": return try end(call, "COMMIT", on: thread)
    case "sql.rollback": return try end(call, "ROLLBACK", on: thread)
    case "sql.databases": return listDatabases(call)
    case "sql.create": return try createDatabase(call, on: thread)
    case "sql.delete": return try deleteDatabase(call, on: thread)
    case "sql.backup": return try backup(call, on: thread)
    case "sql.open" where call.channel.kind == .direct: return try openSocket(call)
    case "worker.stats" where call.channel.kind == .control:
      return reply(call, statistics.report(databases, channels))
    case "worker.shutdown" where call.channel.kind == .control: return shutDown(call, on: thread)
    default:
      throw HostError(.method, "", "there is no method \"\(call.method.prefix(64))\" here")
    }
  }

  func reply(_ call: Call, _ result: JSONValue) -> [UInt8] {
    var frame = ReplyFrame(result: call.id)
    frame.writer.value(result)
    return frame.finished()
  }

  /// The database a request names.
  func database(_ call: Call) throws(HostError) -> Database {
    try databases.find(try StatementRequest.string(call.params, "database"))
  }

  /// The open transaction a request names, if it names one.
  func transaction(_ call: Call) throws(HostError) -> OpenTransaction? {
    guard let value = call.params["transaction"], !value.isNull else { return nil }
    guard let id = value.int else {
      throw SQLFailure.params("\"transaction\" must be the integer that sql.begin gave")
    }
    guard let transaction = transactions.find(id) else { throw OpenTransaction.ended }
    if let name = call.params["database"]?.string, name != transaction.database.name {
      throw SQLFailure.params("transaction \(id) is on another database")
    }
    return transaction
  }

  /// Leaves work to a transaction's lane or a database's writing lane.
  func submit(
    _ call: Call, to database: Database, in transaction: OpenTransaction?,
    isPlainWrite: Bool = false, on thread: ServingThread,
    _ work: @escaping (GuardedConnection, ServingThread) throws(HostError) -> [UInt8]
  ) throws(HostError) -> [UInt8] {
    guard !database.isDamaged || transaction?.mode == .read else {
      throw HostError(
        .sql, "corrupt",
        "the database \"\(database.name)\" is damaged and takes no more writes; restore it from a backup"
      )
    }
    let lane: Lane
    if let transaction { lane = transaction.lane } else { lane = try opened(database).writer() }
    let limit = transaction?.deadline
    let job = Job(call, in: transaction, isPlainWrite: isPlainWrite) {
      [self] thread throws(HostError) in
      do throws(HostError) {
        return try thread.run(call, on: lane.connection, until: limit) { () throws(HostError) in
          try work(lane.connection, thread)
        }
      } catch {
        statistics.errors.add(1, ordering: .relaxed)
        noteDamage(error, database)
        throw error
      }
    }
    try lane.submit(job, on: thread)
    return []
  }

  /// Opening is told of when it finds damage.
  func opened(_ database: Database) throws(HostError) -> Database {
    do throws(HostError) {
      _ = try database.writer()
      return database
    } catch {
      noteDamage(error, database)
      throw error
    }
  }
}
