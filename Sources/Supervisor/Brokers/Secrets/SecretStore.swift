// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLite

/// A secret without its value.
package struct SecretRecord: Sendable, Equatable {
  package enum Origin: String, Sendable { case app, `operator`, generated }

  package var name: String
  /// Counts up for each value a name ever had, past deletions too.
  package var version: Int64
  /// When this version was set, seconds since 1970.
  package var setAt: Int64
  package var origin: Origin
  /// Versions that can still be had, oldest first.
  package var versions: [Int64]
}

/// A value on its way to who may have it. Prints nothing of itself, in whatever way it is printed.
package struct SecretBytes: Sendable, Equatable, CustomStringConvertible,
  CustomDebugStringConvertible,
  CustomReflectable
{
  package let bytes: [UInt8]
  package init(_ bytes: [UInt8]) { self.bytes = bytes }
  package var description: String { "<secret of \(bytes.count) bytes>" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

/// One app's secrets in its `state.sqlite`. Not `Sendable`: it belongs to the queue or actor that made it.
package final class SecretStore {
  private let connection: SQLiteConnection
  private let vault: Vault
  private let now: () -> Int64
  private let random: (Int) -> [UInt8]
  /// Asked before the app keeps something new. What the operator sets is not asked for.
  package var requireRoom: () throws(HostError) -> Void = {}

  /// - Parameters:
  ///   - app: the app's id; part of the key and of what is authenticated.
  ///   - now: seconds since 1970.
  package init(
    app: String, connection: SQLiteConnection, ring: KeyRing, now: @escaping () -> Int64,
    random: @escaping (Int) -> [UInt8]
  ) throws(HostError) {
    self.connection = connection
    vault = Vault(app: app, purpose: "secret", ring: ring)
    self.now = now
    self.random = random
    try guarded { () throws(SQLiteError) in try connection.script(Self.schema) }
  }

  private static let schema = """
    CREATE TABLE IF NOT EXISTS secret_name (
      name TEXT PRIMARY KEY, last_version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS secret (
      name TEXT NOT NULL REFERENCES secret_name, version INTEGER NOT NULL, key_id TEXT NOT NULL,
      sealed BLOB NOT NULL, set_at INTEGER NOT NULL, origin TEXT NOT NULL,
      PRIMARY KEY (name, version)) STRICT, WITHOUT ROWID;
    """
}

extension SecretStore {
  /// The newest value, or that of one version.
  package func get(
    _ name: String, version: Int64? = nil
  ) throws(HostError) -> (value: SecretBytes, record: SecretRecord) {
    try SecretPolicy.requireName(name)
    guard let record = try record(name), let wanted = version ?? record.versions.last,
      let value = try value(name, wanted)
    else { throw Self.missing(name, version) }
    return (value, record)
  }

  package func set(
    _ name: String, _ value: SecretBytes, origin: SecretRecord.Origin
  ) throws(HostError) -> SecretRecord {
    try SecretPolicy.requireName(name)
    try SecretPolicy.requireValue(value.bytes)
    return try transaction { () throws(HostError) in try insert(name, value, origin) }
  }

  /// The value there is, or a new one; of several who ask at once one makes it and all have it.
  package func getOrCreate(
    _ name: String, _ generator: SecretGenerator
  ) throws(HostError) -> (value: SecretBytes, record: SecretRecord, wasMade: Bool) {
    try SecretPolicy.requireName(name)
    return try transaction { () throws(HostError) in
      if let record = try record(name), let last = record.versions.last,
        let value = try value(name, last)
      {
        return (value, record, false)
      }
      let value = SecretBytes(generator.generate(random: random))
      return (value, try insert(name, value, .generated), true)
    }
  }

  package func list() throws(HostError) -> [SecretRecord] {
    var records: [SecretRecord] = []
    for row in try rows("SELECT DISTINCT name FROM secret ORDER BY name") {
      if let record = try record(row[0].string ?? "") { records.append(record) }
    }
    return records
  }

  /// Removes every version. False if there was none.
  @discardableResult
  package func delete(_ name: String) throws(HostError) -> Bool {
    try SecretPolicy.requireName(name)
    let isGone = try transaction { () throws(HostError) in
      _ = try rows("DELETE FROM secret WHERE name = ?", .text(name))
      return connection.changes > 0
    }
    // The log still held the sealed bytes.
    if isGone { try fold() }
    return isGone
  }

  private static func missing(_ name: String, _ version: Int64?) -> HostError {
    HostError(
      .notFound, "secret",
      "there is no secret \"\(name)\"" + (version.map { " of version \($0)" } ?? ""))
  }
}

extension SecretStore {
  private func insert(
    _ name: String, _ value: SecretBytes, _ origin: SecretRecord.Origin
  ) throws(HostError) -> SecretRecord {
    if origin != .operator { try requireRoom() }
    if try record(name) == nil {
      let count = try rows("SELECT count(DISTINCT name) FROM secret").first?[0].int ?? 0
      guard count < SecretPolicy.secretsMax else {
        throw HostError(.quota, "secrets", "the app may keep \(SecretPolicy.secretsMax) secrets")
      }
    }
    _ = try rows(
      "INSERT INTO secret_name VALUES (?, 1) ON CONFLICT DO UPDATE SET last_version = last_version + 1",
      .text(name))
    let version =
      try rows("SELECT last_version FROM secret_name WHERE name = ?", .text(name)).first?[0].int
      ?? 1
    let sealed = try vault.seal(value.bytes, name: name, version: version)
    _ = try rows(
      "INSERT INTO secret VALUES (?, ?, ?, ?, ?, ?)", .text(name), .integer(version),
      .text(sealed.keyID), .blob(sealed.bytes), .integer(now()), .text(origin.rawValue))
    _ = try rows(
      """
      DELETE FROM secret WHERE name = ?1 AND version NOT IN
        (SELECT version FROM secret WHERE name = ?1 ORDER BY version DESC LIMIT ?2)
      """, .text(name), .integer(Int64(SecretPolicy.versionsMax)))
    guard let record = try record(name) else { throw Self.missing(name, version) }
    return record
  }

  private func record(_ name: String) throws(HostError) -> SecretRecord? {
    let found = try rows(
      "SELECT version, set_at, origin FROM secret WHERE name = ? ORDER BY version", .text(name))
    guard let last = found.last else { return nil }
    return SecretRecord(
      name: name, version: last[0].int ?? 0, setAt: last[1].int ?? 0,
      origin: SecretRecord.Origin(rawValue: last[2].string ?? "") ?? .app,
      versions: found.compactMap { $0[0].int })
  }

  private func value(_ name: String, _ version: Int64) throws(HostError) -> SecretBytes? {
    let found = try rows(
      "SELECT key_id, sealed FROM secret WHERE name = ? AND version = ?", .text(name),
      .integer(version))
    guard let row = found.first else { return nil }
    let sealed = Sealed(keyID: row[0].string ?? "", bytes: row[1].bytes ?? [])
    return SecretBytes(try vault.open(sealed, name: name, version: version))
  }

  /// Seals with the current master key what is sealed with an older one, some rows at a time. Stopped at any point, it
  /// goes on where it was; meanwhile every value can be read and set. Gives how many rows are left.
  @discardableResult
  package func rewrap(atMost batch: Int = 100) throws(HostError) -> Int {
    let current = vault.ring.now.current.id
    try transaction { () throws(HostError) in
      let stale = try rows(
        "SELECT name, version, key_id, sealed FROM secret WHERE key_id <> ? LIMIT ?",
        .text(current), .integer(Int64(batch)))
      for row in stale {
        let name = row[0].string ?? ""
        let version = row[1].int ?? 0
        let old = Sealed(keyID: row[2].string ?? "", bytes: row[3].bytes ?? [])
        let plain = try vault.open(old, name: name, version: version)
        let sealed = try vault.seal(plain, name: name, version: version)
        _ = try rows(
          "UPDATE secret SET key_id = ?, sealed = ? WHERE name = ? AND version = ?",
          .text(sealed.keyID), .blob(sealed.bytes), .text(name), .integer(version))
      }
    }
    let left = try rows("SELECT count(*) FROM secret WHERE key_id <> ?", .text(current))
    if left.first?[0].int == 0 { try fold() }
    return Int(left.first?[0].int ?? 0)
  }
}

extension SecretStore {
  private func rows(
    _ sql: String, _ values: SQLiteValue...
  ) throws(HostError) -> [[SQLiteValue]] {
    try guarded { () throws(SQLiteError) in try connection.run(sql, values) }
  }

  /// Empties the write-ahead log. Left undone while somebody reads; the next one does it.
  private func fold() throws(HostError) { _ = try rows("PRAGMA wal_checkpoint(TRUNCATE)") }

  private func transaction<Result>(
    _ body: () throws(HostError) -> Result
  ) throws(HostError) -> Result {
    try StateTransaction.run(on: connection, body)
  }

  private func guarded<Result>(
    _ body: () throws(SQLiteError) -> Result
  ) throws(HostError) -> Result {
    do { return try body() } catch { throw StateTransaction.failure(error) }
  }
}
