// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Foundation
import Glibc
import GuestAPI
import NIOCore

extension Supervisor: ResourceOperations {
  package func databases(_ text: String) async throws -> [DatabaseInfo] {
    let app = try find(text).app
    return app.manifest.databases.map { database in
      let bytes = ["", "-wal"].reduce(Int64(0)) { sum, suffix in
        var facts = Glibc.stat()
        let path = "\(app.directory.sql)/\(database.name).sqlite\(suffix)"
        return lstat(path, &facts) == 0 ? sum + Int64(facts.st_size) : sum
      }
      return DatabaseInfo(name: database.name, bytes: bytes)
    }
  }

  /// Runs in the app's own worker, under the same rules as the app's statements.
  package func sql(
    _ text: String, database: String, _ request: SQLRequest
  ) async throws -> SQLResult {
    let handle = try find(text).handle
    if !request.write { try await requireReadOnly(handle.sql, database, request.sql) }
    let params: JSONValue = [
      "database": .string(database), "sql": .string(request.sql),
      "params": .array(request.params),
    ]
    let isQuery = !request.write || Self.returnsRows(request.sql)
    let answer = try await call(
      handle.sql,
      ServiceRequest(
        method: isQuery ? "sql.query" : "sql.execute", params: params, body: ByteBuffer(),
        meta: .init(deadlineMs: 30_000)))
    guard isQuery else {
      return SQLResult(
        columns: [], rows: [], changes: answer["changes"]?.int ?? 0,
        lastInsertRowID: answer["lastInsertRowId"]?.int ?? 0, truncated: false)
    }
    let rows = (answer["rows"]?.array ?? []).map { $0.array ?? [] }
    return SQLResult(
      columns: (answer["columns"]?.array ?? []).compactMap(\.string),
      rows: Array(rows.prefix(request.rowsMax)), changes: 0, lastInsertRowID: 0,
      truncated: rows.count > request.rowsMax)
  }

  /// SQLite itself says whether a statement writes (`sqlite3_stmt_readonly`).
  private func requireReadOnly(
    _ broker: SQLBroker, _ database: String, _ sql: String
  ) async throws {
    let answer = try await call(
      broker,
      ServiceRequest(
        method: "sql.explain", params: ["database": .string(database), "sql": .string(sql)],
        body: ByteBuffer(), meta: .init()))
    guard answer["readOnly"]?.bool == true else {
      throw HostError(
        .permission, "sql.write", "This statement writes. Add --write if that is what you want.")
    }
  }

  private static func returnsRows(_ sql: String) -> Bool {
    let text = sql.lowercased()
    let word = text.drop { $0.isWhitespace || $0 == "(" }.prefix { $0.isLetter }
    return ["select", "with", "values", "explain", "pragma"].contains(String(word))
      || text.contains("returning")
  }

  private func call(_ broker: any Broker, _ request: ServiceRequest) async throws -> JSONValue {
    let reply = await withCheckedContinuation { continuation in
      broker.handle(request) { continuation.resume(returning: $0) }
    }
    return try Self.result(reply).get()
  }

  private static func result(_ reply: ServiceReply) -> Result<JSONValue, any Error> {
    switch reply {
    case .result(let result, _): return .success(result)
    case .failure(let error):
      let code = error.data["code"]?.string ?? "sql"
      return .failure(
        HostError(
          HostError.Area(rawValue: String(code.prefix { $0 != "." })) ?? .sql,
          String(code.drop { $0 != "." }.dropFirst()), error.message))
    }
  }

  /// Writes a consistent copy, taken while the app goes on working, to a file of the operator's.
  package func backUp(
    _ text: String, database: String, _ request: SQLBackupRequest
  ) async throws -> SQLBackupReport {
    let handle = try find(text).handle
    let file = try BackupTarget(path: request.file)
    let answer: JSONValue
    do {
      answer = try await withCheckedThrowingContinuation { continuation in
        handle.sql.handle(
          ServiceRequest(
            method: "sql.backup", params: ["database": .string(database)], body: ByteBuffer(),
            meta: .init(deadlineMs: 30_000)), onPiece: { file.write($0) }
        ) { continuation.resume(with: Self.result($0)) }
      }
      try await onQueue(storeQueue) { try file.finish() }
    } catch {
      file.discard()
      throw error
    }
    return SQLBackupReport(file: request.file, bytes: answer["bytes"]?.int ?? file.bytes)
  }

  package func secrets(_ text: String) async throws -> [SecretInfo] {
    throw HostError(.unsupported, "secrets", "not wired yet")
  }
  package func setSecret(
    _ text: String, name: String, _ value: SecretValue
  ) async throws -> SecretInfo {
    throw HostError(.unsupported, "secrets", "not wired yet")
  }
  package func revealSecret(_ text: String, name: String) async throws -> SecretValue {
    throw HostError(.unsupported, "secrets", "not wired yet")
  }
  package func removeSecret(_ text: String, name: String) async throws {
    throw HostError(.unsupported, "secrets", "not wired yet")
  }
  package func keys(_ text: String) async throws -> [KeyInfo] {
    throw HostError(.unsupported, "keys", "not wired yet")
  }
}
