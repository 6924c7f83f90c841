// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// A database of the app, see `Host.sql(_:)`. What can be asked of it is in `SQLStatements`.
public struct Database: SQLStatements {
  public let name: String
  public let host: Host

  public var scope: SQLScope { SQLScope(host: host, database: name, transaction: nil) }

  /// Begins a transaction, runs `body` in it, commits what it did, and gives what it gave. If `body` throws, all of it
  /// is rolled back.
  ///
  /// If all statements are known beforehand, `batch` does the same with less waiting.
  /// - Parameters:
  ///   - mode: `.write` has the database's writer to itself, so keep it short; `.read` keeps seeing the database as it was.
  ///   - timeout: the transaction is ended after so long; 5 s if nil, 60 s at most.
  @discardableResult
  public func transaction<Value>(
    _ mode: Transaction.Mode = .write, timeout: Duration? = nil,
    _ body: (Transaction) async throws -> Value
  ) async throws -> Value {
    let transaction = try await begin(mode, timeout: timeout)
    do {
      let value = try await body(transaction)
      try await transaction.commit()
      return value
    } catch {
      // The first error says more.
      try? await transaction.rollback()
      throw error
    }
  }

  /// A transaction for `commit` or `rollback` to end.
  ///
  /// - Throws: `refused` with `overloaded.sql_transactions` if 8 are open, `overloaded.sql_busy` if another had the
  ///   database's writer for all the time the request could wait.
  public func begin(
    _ mode: Transaction.Mode = .write, timeout: Duration? = nil
  ) async throws(GuestError) -> Transaction {
    var params = JSONObject([
      ("database", .string(name)), ("mode", .string(mode.rawValue)),
    ])
    if let timeout { params["deadlineMs"] = .int(timeout.milliseconds) }
    let reply = try await host.sql("sql.begin", .object(params))
    guard let number = reply.result["transaction"]?.int else {
      throw .unexpectedAnswer("sql.begin answered without a transaction")
    }
    return Transaction(database: self, number: number)
  }

  /// Runs a statement once for each row, in one transaction: all or none. Rows travel in binary, about 1 MiB a frame.
  ///
  /// - Parameter rows: each with as many values as the statement has parameters.
  @discardableResult
  public func executeMany(
    _ sql: String, rows: [[SQLValue]]
  ) async throws(GuestError) -> SQLOutcome {
    let chunks = try RowCutter(sql).cut(rows[...])
    if chunks.count <= 1 { return try await scope.insert(sql, chunks) }
    let transaction = try await begin(timeout: .seconds(60))
    do throws(GuestError) {
      let outcome = try await transaction.scope.insert(sql, chunks)
      try await transaction.commit()
      return outcome
    } catch {
      try? await transaction.rollback()
      throw error
    }
  }

  /// Deletes the database and all that is in it. One of the manifest is made anew, empty.
  public func delete() async throws(GuestError) {
    _ = try await host.sql("sql.delete", ["database": .string(name)])
  }

  /// Makes a database of that name, a copy of this one as it is now.
  public func copy(to name: String) async throws(GuestError) -> Database {
    _ = try await host.sql(
      "sql.backup", ["database": .string(self.name), "to": .string(name)])
    return Database(name: name, host: host)
  }
}

/// An open transaction, see `Database.transaction`. Ends with commit, rollback, its deadline or the guest.
public struct Transaction: SQLStatements {
  public enum Mode: String, Sendable { case write, read }

  public let database: Database
  let number: Int64

  public var scope: SQLScope {
    SQLScope(host: database.host, database: database.name, transaction: number)
  }

  /// Keeps what was done. If a deferred constraint refuses it, the transaction stays open.
  public func commit() async throws(GuestError) { try await finish("sql.commit") }

  /// Drops what was done. After the transaction's end it is harmless.
  public func rollback() async throws(GuestError) {
    do throws(GuestError) { try await finish("sql.rollback") } catch {
      guard error.code == "not_found.transaction" else { throw error }
    }
  }

  private func finish(_ method: String) async throws(GuestError) {
    _ = try await database.host.sql(method, ["transaction": .int(number)])
  }
}

/// One database, as `Host.databases` lists it.
public struct DatabaseInfo: Sendable, Equatable {
  public var name: String
  public var bytes: Int64
  /// Of the write-ahead log beside it.
  public var walBytes: Int64
  /// In the manifest, not made by the app.
  public var isDeclared: Bool
}

extension Host {
  /// One of the app's databases, by the name in its manifest or as `createDatabase` made it.
  public func sql(_ database: String) -> Database { Database(name: database, host: self) }

  /// Makes a database beyond those of the manifest.
  public func createDatabase(_ name: String) async throws(GuestError) -> Database {
    _ = try await sql("sql.create", ["database": .string(name)])
    return sql(name)
  }

  public func databases() async throws(GuestError) -> [DatabaseInfo] {
    try await sql("sql.databases", [:]).result["databases"]?.array?.map {
      DatabaseInfo(
        name: $0["name"]?.string ?? "", bytes: $0["bytes"]?.int ?? 0,
        walBytes: $0["walBytes"]?.int ?? 0, isDeclared: $0["declared"]?.bool ?? false)
    } ?? []
  }
}
