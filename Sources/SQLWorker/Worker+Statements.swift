// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI
import SQLEngine

extension Worker {
  /// What is wanted of a statement.
  enum Purpose { case query, execute }

  /// `sql.query` and `sql.execute`. A statement that only reads runs here and now, on a connection of its own; one that
  /// writes goes to the writer.
  func statement(
    _ call: Call, _ purpose: Purpose, on thread: ServingThread
  ) throws(HostError) -> [UInt8] {
    let request = try StatementRequest(call)
    let open = try transaction(call)
    let database = if let open { open.database } else { try database(call) }
    let approach = database.approach(request.sql)
    if open == nil, approach.mayRead,
      let frame = try readBeside(
        database, call, request, purpose, isDescribing: approach == .describing, on: thread)
    {
      return frame
    }
    return try submit(
      call, to: database, in: open, isPlainWrite: approach == .writing(isPlain: true), on: thread
    ) { [self] connection, thread throws(HostError) in
      let statement = try connection.statement(request.sql)
      guard open != nil || !statement.isTransactional else { throw Self.nested }
      return try wrapped(statement, connection, isInTransaction: open != nil) {
        () throws(HostError) in
        try answer(call, request, purpose, statement, connection, on: thread)
      }
    }
  }

  private static let nested = SQLFailure.refused(
    "SAVEPOINT, RELEASE and ROLLBACK TO are for interactive transactions: begin one with sql.begin")

  /// Nil if the statement writes.
  private func readBeside(
    _ database: Database, _ call: Call, _ request: StatementRequest, _ purpose: Purpose,
    isDescribing: Bool, on thread: ServingThread
  ) throws(HostError) -> [UInt8]? {
    let reader = try opened(database).takeReader()
    defer { database.giveBack(reader) }
    do throws(HostError) {
      return try thread.run(call, on: reader) { () throws(HostError) -> [UInt8]? in
        // Reading the schema table makes SQLite notice that another connection has changed it.
        if isDescribing { try reader.own("SELECT 1 FROM sqlite_schema LIMIT 1") }
        let statement = try reader.statement(request.sql)
        guard !statement.isTransactional else { throw Self.nested }
        guard statement.isReadOnly else {
          database.noteWrite(request.sql)
          return nil
        }
        return try answer(call, request, purpose, statement, reader, on: thread)
      }
    } catch {
      // PRAGMA optimize and its like say that they only read.
      if error.code == "sql.read_only" { return nil }
      noteDamage(error, database)
      throw error
    }
  }

  /// Runs a writing statement so that an answer that fails leaves nothing behind, even when SQLite had done its part.
  private func wrapped(
    _ statement: PreparedStatement, _ connection: GuardedConnection, isInTransaction: Bool,
    _ body: () throws(HostError) -> [UInt8]
  ) throws(HostError) -> [UInt8] {
    guard statement.isPlainWrite, statement.columnCount > 0 || !connection.isInTransaction else {
      return try body()
    }
    let isNested = connection.isInTransaction
    try connection.own(isNested ? "SAVEPOINT bulkhead_statement" : "BEGIN IMMEDIATE")
    do throws(HostError) {
      let frame = try body()
      try connection.own(isNested ? "RELEASE bulkhead_statement" : "COMMIT")
      return frame
    } catch {
      if connection.isInTransaction {
        if isNested {
          _ = try? connection.own("ROLLBACK TO bulkhead_statement")
          _ = try? connection.own("RELEASE bulkhead_statement")
        } else {
          _ = try? connection.own("ROLLBACK")
        }
      }
      throw error
    }
  }

  private func answer(
    _ call: Call, _ request: StatementRequest, _ purpose: Purpose, _ statement: PreparedStatement,
    _ connection: GuardedConnection, on thread: ServingThread
  ) throws(HostError) -> [UInt8] {
    defer { statement.reset() }
    try ParameterBinding.bind(request.params, body: call.body, to: statement)
    if purpose == .query, request.stream {
      return try ResultStream(call: call, worker: self, thread: thread)
        .run(statement, on: connection)
    }
    var frame = ReplyFrame(result: call.id)
    switch purpose {
    case .query:
      let query = ResultWriter(rows: RowWriter(safeIntegers: request.safeIntegers))
      statistics.add(read: try query.write(statement, on: connection, to: &frame))
    case .execute:
      frame.writer.raw("{")
      let changes = try ChangeCount.counting(connection) { () throws(HostError) in
        while try connection.step(statement) {}
      }
      changes.write(to: &frame.writer, safeIntegers: request.safeIntegers)
      statistics.add(written: changes.changes)
      frame.writer.raw("}")
    }
    return frame.finished()
  }
}
