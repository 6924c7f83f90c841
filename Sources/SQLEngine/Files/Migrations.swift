// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI
import SQLite

/// Applies the `*.sql` files of a directory, in the order of their names, each once. All that are new are applied in
/// one transaction: an upgrade's schema is there whole or not at all. What was applied is in `bulkhead_migration`;
/// a file that changed after it was applied, or that vanished, stops the database from being used.
package struct Migrations {
  /// Files of one directory, and bytes of one file.
  package static let filesMax = 1_000
  package static let fileBytesMax = 1_048_576

  package struct File: Sendable, Equatable {
    package var name: String
    package var text: [UInt8]

    /// FNV-1a, 64 bits: tells an edited file from the one applied. Nothing here is secret or hostile: both come from
    /// the installed version.
    package var checksum: String {
      let hash = text.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
        ($0 ^ UInt64($1)) &* 0x100_0000_01b3
      }
      return String(hash, radix: 16)
    }
  }

  /// A directory that is not there has no migrations.
  package static func files(in directory: String) throws(HostError) -> [File] {
    guard let names = FileSystem.names(in: directory)?.filter({ $0.hasSuffix(".sql") }) else {
      return []
    }
    guard names.count <= filesMax else {
      throw failure("there are \(names.count) files; \(filesMax) are allowed")
    }
    var files: [File] = []
    for name in names {
      guard let text = FileSystem.read("\(directory)/\(name)", prefix: fileBytesMax + 1) else {
        throw failure("\(name) cannot be read")
      }
      guard text.count <= fileBytesMax else {
        throw failure("\(name) is over \(fileBytesMax) bytes")
      }
      files.append(File(name: name, text: text))
    }
    return files
  }

  /// Gives the names of the files it applied.
  @discardableResult
  package static func apply(
    _ files: [File], to connection: GuardedConnection
  ) throws(HostError) -> [String] {
    guard !files.isEmpty else { return [] }
    try connection.own(
      "CREATE TABLE IF NOT EXISTS \(StatementPolicy.migrationTable) "
        + "(name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied TEXT NOT NULL) STRICT")
    let pending = try pending(files, on: connection)
    guard !pending.isEmpty else { return [] }
    try connection.own("BEGIN IMMEDIATE")
    do throws(HostError) {
      for file in pending { try apply(file, to: connection) }
      try connection.own("COMMIT")
    } catch {
      if connection.isInTransaction { _ = try? connection.own("ROLLBACK") }
      throw error
    }
    return pending.map(\.name)
  }

  private static func pending(
    _ files: [File], on connection: GuardedConnection
  ) throws(HostError) -> [File] {
    let rows = try connection.own(
      "SELECT name, checksum FROM \(StatementPolicy.migrationTable) ORDER BY name")
    var applied: [String: String] = [:]
    for row in rows { applied[row[0].string ?? ""] = row[1].string ?? "" }
    for file in files {
      guard let checksum = applied[file.name] else { continue }
      guard checksum == file.checksum else {
        throw failure("\(file.name) was applied and has changed since; add a new file instead")
      }
    }
    let missing = Set(applied.keys).subtracting(files.map(\.name))
    guard missing.isEmpty else {
      throw failure(
        "\(missing.sorted()[0]) was applied and is not among this version's files: an older version cannot use a newer "
          + "database")
    }
    return files.filter { applied[$0.name] == nil }
  }

  private static func apply(_ file: File, to connection: GuardedConnection) throws(HostError) {
    var rest = file.text[...]
    let limit = sqlite3_limit(connection.handle, SQLITE_LIMIT_SQL_LENGTH, Int32(fileBytesMax + 1))
    defer { sqlite3_limit(connection.handle, SQLITE_LIMIT_SQL_LENGTH, limit) }
    do throws(HostError) {
      while let (statement, after) = try connection.prepare(rest) {
        guard !statement.isTransactional, statement.parameterCount == 0 else {
          throw SQLFailure.refused("a migration has neither savepoints nor parameters")
        }
        rest = after
        while try connection.step(statement) {}
      }
    } catch {
      throw Self.failure(in: file, statementAt: file.text.count - rest.count, error)
    }
    try connection.own(
      "INSERT INTO \(StatementPolicy.migrationTable) VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ','now'))",
      .text(file.name), .text(file.checksum))
  }

  /// The same error, with the offset counted from the beginning of the file.
  private static func failure(in file: File, statementAt start: Int, _ error: HostError)
    -> HostError
  {
    let within = error.data.first { $0.key == "offset" }?.value.int ?? 0
    let at = Int64(start) + within
    var failure = failure("\(file.name), at byte \(at): \(error.message)")
    failure.data = error.data.filter { $0.key != "offset" }
    failure.data.append(("offset", .int(at)))
    return failure
  }

  private static func failure(_ why: String) -> HostError {
    HostError(.sql, "migration", "the database is not used because its migrations failed: \(why)")
  }
}
