// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI
import SQLEngine

/// One entry of `sql.batch`.
private struct BatchEntry {
  var request: StatementRequest
  /// The statement is run once for each of these.
  var rows: Rows?

  enum Rows {
    case json([JSONValue])
    /// A chunk of `columns/1` in the body.
    case chunk(Range<Int>)
  }

  init(_ value: JSONValue, at index: Int, body: [UInt8]) throws(HostError) {
    guard value.object != nil else {
      throw SQLFailure.params("statements[\(index)] must be an object with \"sql\"")
    }
    do throws(HostError) { request = try StatementRequest(value) } catch {
      throw SQLFailure.params("statements[\(index)]: \(error.message)")
    }
    guard let given = value["rows"] else { return }
    guard request.params == nil else {
      throw SQLFailure.params("statements[\(index)] has both \"params\" and \"rows\"")
    }
    switch given {
    case .array(let rows): self.rows = .json(rows)
    case .object(let object):
      guard let place = object["body"]?.array, let range = BodyRange.resolve(place, in: body.count)
      else { fallthrough }
      rows = .chunk(range)
    default:
      throw SQLFailure.params(
        "statements[\(index)].rows must be an array of rows or {\"body\":[offset,length]} within the body"
      )
    }
  }
}

extension Worker {
  /// `sql.batch`: all statements in one transaction, or within the interactive one that is named.
  func batch(_ call: Call, on thread: ServingThread) throws(HostError) -> [UInt8] {
    guard let values = call.params["statements"]?.array else {
      throw SQLFailure.params("\"statements\" must be an array")
    }
    guard values.count <= SQLLimits.batchStatements else {
      throw SQLFailure.params(
        "\(values.count) statements; a batch has at most \(SQLLimits.batchStatements)")
    }
    var entries: [BatchEntry] = []
    for (index, value) in values.enumerated() {
      entries.append(try BatchEntry(value, at: index, body: call.body))
    }
    let isSafe = try StatementRequest.flag(call.params, "safeIntegers")
    let open = try transaction(call)
    let database = if let open { open.database } else { try database(call) }
    return try submit(call, to: database, in: open, on: thread) {
      [self, entries] connection, _ throws(HostError) in
      try atomically(connection) { () throws(HostError) in
        var frame = ReplyFrame(result: call.id)
        frame.writer.raw("{\"results\":[")
        for (index, entry) in entries.enumerated() {
          if index > 0 { frame.writer.raw(",") }
          do throws(HostError) {
            try run(entry, call, isSafe, on: connection, to: &frame)
          } catch {
            var error = error
            error.data.append(("statement", .int(Int64(index))))
            throw error
          }
        }
        frame.writer.raw("]}")
        return frame.finished()
      }
    }
  }

  private func atomically(
    _ connection: GuardedConnection, _ body: () throws(HostError) -> [UInt8]
  ) throws(HostError) -> [UInt8] {
    let isNested = connection.isInTransaction
    try connection.own(isNested ? "SAVEPOINT bulkhead_batch" : "BEGIN IMMEDIATE")
    do throws(HostError) {
      let frame = try body()
      try connection.own(isNested ? "RELEASE bulkhead_batch" : "COMMIT")
      return frame
    } catch {
      // Some errors have made SQLite roll back by itself.
      if connection.isInTransaction {
        _ = try? connection.own(isNested ? "ROLLBACK TO bulkhead_batch" : "ROLLBACK")
        if isNested { _ = try? connection.own("RELEASE bulkhead_batch") }
      }
      throw error
    }
  }

  private func run(
    _ entry: BatchEntry, _ call: Call, _ isSafe: Bool, on connection: GuardedConnection,
    to frame: inout ReplyFrame
  ) throws(HostError) {
    let statement = try connection.statement(entry.request.sql)
    guard !statement.isTransactional, !statement.isVacuum else {
      throw SQLFailure.refused("VACUUM and savepoints cannot stand in a batch")
    }
    defer { statement.reset() }
    guard let rows = entry.rows else {
      try ParameterBinding.bind(entry.request.params, body: call.body, to: statement)
      if statement.columnCount > 0 {
        let query = ResultWriter(rows: RowWriter(safeIntegers: isSafe))
        statistics.add(read: try query.write(statement, on: connection, to: &frame))
        return
      }
      let changes = try ChangeCount.counting(connection) { () throws(HostError) in
        while try connection.step(statement) {}
      }
      return note(changes, isSafe, to: &frame)
    }
    let changes: ChangeCount
    switch rows {
    case .json(let rows): changes = try repeated(statement, rows, call, on: connection)
    case .chunk(let range): changes = try repeated(statement, range, call, on: connection)
    }
    note(changes, isSafe, to: &frame)
  }

  private func note(_ changes: ChangeCount, _ isSafe: Bool, to frame: inout ReplyFrame) {
    statistics.add(written: changes.changes)
    frame.writer.raw("{")
    changes.write(to: &frame.writer, safeIntegers: isSafe)
    frame.writer.raw("}")
  }

  private func repeated(
    _ statement: PreparedStatement, _ rows: [JSONValue], _ call: Call,
    on connection: GuardedConnection
  ) throws(HostError) -> ChangeCount {
    var total = ChangeCount(changes: 0, lastInsertRowID: 0)
    for row in rows {
      try ParameterBinding.bind(row, body: call.body, to: statement)
      try once(statement, on: connection, adding: &total)
    }
    return total
  }

  /// Rows of a chunk are bound where they lie in the body.
  private func repeated(
    _ statement: PreparedStatement, _ range: Range<Int>, _ call: Call,
    on connection: GuardedConnection
  ) throws(HostError) -> ChangeCount {
    let outcome: Result<ChangeCount, HostError> = call.body.withUnsafeBytes { body in
      // Nothing points into the body after this.
      defer { statement.reset() }
      do throws(HostError) {
        var chunk = try RowChunkReader(UnsafeRawBufferPointer(rebasing: body[range]))
        guard chunk.byteCount == range.count else {
          throw SQLFailure.params("the chunk of rows is shorter than its place in the body")
        }
        guard chunk.columns == statement.parameterCount || chunk.rows == 0 else {
          throw SQLFailure.params(
            "the statement has \(statement.parameterCount) parameters and the rows \(chunk.columns) columns"
          )
        }
        var total = ChangeCount(changes: 0, lastInsertRowID: 0)
        for row in 0..<chunk.rows {
          try chunk.bind(row: row, to: statement)
          try once(statement, on: connection, adding: &total)
        }
        return .success(total)
      } catch {
        return .failure(error)
      }
    }
    return try outcome.get()
  }

  private func once(
    _ statement: PreparedStatement, on connection: GuardedConnection,
    adding total: inout ChangeCount
  ) throws(HostError) {
    let changes = try ChangeCount.counting(connection) { () throws(HostError) in
      while try connection.step(statement) {}
    }
    total.changes += changes.changes
    total.lastInsertRowID = changes.lastInsertRowID
    sqlite3_reset(statement.handle)
  }
}
