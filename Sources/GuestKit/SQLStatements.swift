// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// Where statements run: in a database, or in a transaction on one.
public protocol SQLStatements: Sendable {
  var scope: SQLScope { get }
}

/// What a request says of where it runs.
public struct SQLScope: Sendable {
  let host: Host
  let database: String
  let transaction: Int64?

  /// The params of a request: the scope, then what the method adds.
  func params(_ members: [(String, JSONValue)]) -> JSONValue {
    var object = JSONObject([("database", .string(database))] + members)
    if let transaction { object["transaction"] = .int(transaction) }
    return .object(object)
  }

  func statement(
    _ sql: String, _ values: [SQLValue], _ blobs: inout [UInt8],
    _ members: [(String, JSONValue)] = []
  ) -> JSONValue {
    params(
      [("sql", .string(sql)), ("params", .array(values.map { $0.json(&blobs) }))] + members)
  }
}

/// What a statement changed.
public struct SQLOutcome: Sendable, Equatable {
  /// Rows the statement itself inserted, updated or deleted.
  public var changes: Int64
  /// Of the connection that writes; use it after an INSERT only.
  public var lastInsertRowID: Int64

  init(_ json: JSONValue) {
    changes = json["changes"]?.int ?? 0
    lastInsertRowID = json["lastInsertRowId"]?.int ?? 0
  }
}

extension SQLStatements {
  /// All rows: `try row.int("id")`, `try row.text("title")`, or any value by `row["note"]`. A result that does not fit
  /// one frame is asked for again as a stream; of one that would fill the memory use `stream`.
  ///
  /// - Throws: `refused` with a code of docs/SQL.md.
  public func query(_ sql: String, _ params: SQLValue...) async throws(GuestError) -> [SQLRow] {
    try await query(sql, params: params)
  }

  /// - Parameter timeout: instead of the 5 s a statement has; 30 s at most.
  public func query(
    _ sql: String, params: [SQLValue], timeout: Duration? = nil
  ) async throws(GuestError) -> [SQLRow] {
    var blobs: [UInt8] = []
    let request = scope.statement(sql, params, &blobs)
    do throws(GuestError) {
      let reply = try await scope.host.sql("sql.query", request, body: blobs, timeout)
      return try SQLRow.rows(of: reply.result, body: reply.body)
    } catch {
      guard error.code == "sql.too_large" else { throw error }
    }
    return try await stream(sql, params: params, timeout: timeout).collect()
  }

  /// The rows as they come, however many there are: memory holds a few chunks of them. Leaving the loop stops the
  /// statement.
  ///
  /// ```swift
  /// for try await row in try await database.stream("SELECT * FROM event") { … }
  /// ```
  public func stream(_ sql: String, _ params: SQLValue...) async throws(GuestError) -> SQLRows {
    try await stream(sql, params: params)
  }

  public func stream(
    _ sql: String, params: [SQLValue], timeout: Duration? = nil
  ) async throws(GuestError) -> SQLRows {
    var blobs: [UInt8] = []
    let request = scope.statement(sql, params, &blobs, [("stream", true)])
    return try SQLRows(await scope.host.sql("sql.query", request, body: blobs, timeout))
  }

  /// Runs one statement; rows it gives are dropped.
  @discardableResult
  public func execute(_ sql: String, _ params: SQLValue...) async throws(GuestError) -> SQLOutcome {
    try await execute(sql, params: params)
  }

  @discardableResult
  public func execute(
    _ sql: String, params: [SQLValue], timeout: Duration? = nil
  ) async throws(GuestError) -> SQLOutcome {
    var blobs: [UInt8] = []
    let request = scope.statement(sql, params, &blobs)
    return SQLOutcome(
      try await scope.host.sql("sql.execute", request, body: blobs, timeout).result)
  }

  /// Runs several statements in one transaction: all or none. Rows come in the outcome's place where a statement gives
  /// some (`RETURNING`).
  @discardableResult
  public func batch(
    _ statements: [(sql: String, params: [SQLValue])]
  ) async throws(GuestError) -> [SQLBatchResult] {
    var blobs: [UInt8] = []
    let list = statements.map { statement -> JSONValue in
      [
        "sql": .string(statement.sql),
        "params": .array(statement.params.map { $0.json(&blobs) }),
      ]
    }
    let reply = try await scope.host.sql(
      "sql.batch", scope.params([("statements", .array(list))]), body: blobs)
    var results: [SQLBatchResult] = []
    for result in reply.result["results"]?.array ?? [] {
      results.append(
        result["rows"] == nil
          ? .outcome(SQLOutcome(result))
          : .rows(try SQLRow.rows(of: result, body: reply.body)))
    }
    return results
  }

  /// What SQLite would do: `readOnly`, `parameters`, `columns` and the `plan`.
  public func explain(_ sql: String) async throws(GuestError) -> JSONValue {
    try await scope.host.sql("sql.explain", scope.params([("sql", .string(sql))])).result
  }
}

/// What one statement of a batch gave.
public enum SQLBatchResult: Sendable {
  case outcome(SQLOutcome)
  case rows([SQLRow])
}
