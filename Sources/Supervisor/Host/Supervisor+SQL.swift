// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Glibc
import GuestAPI
import NIOCore

/// What the operator may do with an app's databases. All of it runs in the app's own worker.
extension Supervisor {
  package func databases(_ text: String) async throws -> [DatabaseInfo] {
    let app = try find(text).app
    let directory = app.directory.sql
    return await onQueue(storeQueue) {
      let suffix = ".sqlite"
      // Those the manifest declares, and those the app made.
      let made = DatabaseFiles.names(in: directory)
      let names = Set(app.manifest.databases.map(\.name)).union(made)
      return names.sorted().map { name in
        let bytes = ["", "-wal"].reduce(Int64(0)) { sum, end in
          sum + DatabaseFiles.bytes("\(directory)/\(name)\(suffix)\(end)")
        }
        return DatabaseInfo(name: name, bytes: bytes)
      }
    }
  }

  /// Runs under the same rules as the app's statements. SQLite itself says whether a statement writes
  /// (`sqlite3_stmt_readonly`), before it is run.
  package func sql(
    _ text: String, database: String, _ request: SQLRequest
  ) async throws -> AsyncThrowingStream<SQLLine, any Error> {
    let broker = try find(text).handle.sql
    let (facts, _) = try await call(
      broker, "sql.explain", ["database": .string(database), "sql": .string(request.sql)])
    guard request.write || facts["readOnly"]?.bool == true else {
      throw HostError(
        .permission, "sql.write", "This statement writes. Add --write if that is what you want.")
    }
    let (params, body) = try SQLAnswer.wire(request.params)
    var message = JSONObject([
      ("database", .string(database)), ("sql", .string(request.sql)), ("params", params),
    ])
    let isQuery = facts["columns"]?.array?.isEmpty == false
    if isQuery { message["stream"] = true }
    let (result, rest) = try await call(
      broker, isQuery ? "sql.query" : "sql.execute", .object(message), body: body)
    return SQLAnswer(result: result, rest: rest, rowsMax: request.rowsMax).lines
  }

  /// One request to the app's worker, and its body.
  private func call(
    _ broker: any Broker, _ method: String, _ params: JSONValue, body: ByteBuffer = ByteBuffer()
  ) async throws -> (result: JSONValue, body: StreamedBody) {
    let request = ServiceRequest(
      method: method, params: params, body: body, meta: .init(deadlineMs: 30_000))
    let reply = await withCheckedContinuation { continuation in
      broker.handle(request) { continuation.resume(returning: $0) }
    }
    switch reply {
    case .result(let result, let body): return (result, StreamedBody(first: body, rest: nil))
    case .stream(let result, let first, let rest):
      return (result, StreamedBody(first: first, rest: rest))
    case .failure(let error):
      let code = error.data["code"]?.string ?? "sql"
      throw HostError(
        HostError.Area(rawValue: String(code.prefix { $0 != "." })) ?? .sql,
        String(code.drop { $0 != "." }.dropFirst()), error.message)
    }
  }

  /// Writes a consistent copy, taken while the app goes on working, to a file of the operator's.
  package func backUp(
    _ text: String, database: String, _ request: SQLBackupRequest
  ) async throws -> SQLBackupReport {
    let handle = try find(text).handle
    let file = try BackupTarget(path: request.file)
    do {
      let (result, body) = try await call(
        handle.sql, "sql.backup", ["database": .string(database)])
      for try await piece in body { await onQueue(storeQueue) { file.write(piece) } }
      try await onQueue(storeQueue) { try file.finish() }
      return SQLBackupReport(file: request.file, bytes: result["bytes"]?.int ?? file.bytes)
    } catch {
      file.discard()
      throw error
    }
  }
}

/// The files of an app's databases. A guest's worker wrote them: names and kinds are looked at, contents are not.
enum DatabaseFiles {
  static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasSuffix(".sqlite"), !name.hasPrefix(".") else { continue }
      names.append(String(name.dropLast(7)))
    }
    return names
  }

  /// Of all databases, without their logs.
  static func bytes(in directory: String) -> Int64 {
    names(in: directory).reduce(0) { $0 + bytes("\(directory)/\($1).sqlite") }
  }

  static func bytes(_ path: String) -> Int64 {
    var facts = stat()
    return lstat(path, &facts) == 0 ? Int64(facts.st_size) : 0
  }
}
