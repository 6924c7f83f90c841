// SPDX-License-Identifier: Apache-2.0
import Crypto
import GuestAPI
import SQLite

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// One version of a signing key, its public half.
package struct SigningKeyRecord: Sendable, Equatable {
  package var name: String
  package var version: Int64
  package var publicKey: PublicKeyFormats
  /// Seconds since 1970.
  package var createdAt: Int64
  /// Older versions only verify: their private halves are gone.
  package var canSign: Bool
}

/// One app's Ed25519 keys in its `state.sqlite`. No method gives a private key; it leaves this file sealed or not at
/// all. Not `Sendable`: it belongs to the queue or actor that made it.
package final class KeyStore {
  private let connection: SQLiteConnection
  private let vault: Vault
  private let now: () -> Int64
  private let random: (Int) -> [UInt8]
  /// Asked before a key or version is made.
  package var requireRoom: () throws(HostError) -> Void = {}
  /// Opened keys by name, so that signing does not read the disk each time.
  private var opened: [String: (version: Int64, key: Curve25519.Signing.PrivateKey)] = [:]

  /// Keys of one app, by name.
  package static let keysMax = 100
  /// Versions of one key whose public halves are kept.
  package static let versionsMax = 20

  package init(
    app: String, connection: SQLiteConnection, ring: KeyRing, now: @escaping () -> Int64,
    random: @escaping (Int) -> [UInt8]
  ) throws(HostError) {
    self.connection = connection
    vault = Vault(app: app, purpose: "signing-key", ring: ring)
    self.now = now
    self.random = random
    do throws(SQLiteError) { try connection.script(Self.schema) } catch {
      throw StateTransaction.failure(error)
    }
  }

  private static let schema = """
    CREATE TABLE IF NOT EXISTS signing_key_name (
      name TEXT PRIMARY KEY, last_version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS signing_key (
      name TEXT NOT NULL REFERENCES signing_key_name, version INTEGER NOT NULL,
      public_key BLOB NOT NULL, created_at INTEGER NOT NULL, key_id TEXT, sealed BLOB,
      PRIMARY KEY (name, version)) STRICT, WITHOUT ROWID;
    """
}

extension KeyStore {
  package func create(_ name: String) throws(HostError) -> SigningKeyRecord {
    try SecretPolicy.requireName(name)
    return try StateTransaction.run(on: connection) { () throws(HostError) in
      guard try newest(name) == nil else {
        throw HostError(
          .conflict, "key", "there is a key \"\(name)\" already; keys.rotate gives it a new version"
        )
      }
      let count = try rows("SELECT count(DISTINCT name) FROM signing_key").first?[0].int ?? 0
      guard count < Self.keysMax else {
        throw HostError(.quota, "keys", "the app may keep \(Self.keysMax) keys")
      }
      return try insert(name)
    }
  }

  /// A new version that signs from now on. The private halves before it are destroyed; their public halves stay.
  package func rotate(_ name: String) throws(HostError) -> SigningKeyRecord {
    try SecretPolicy.requireName(name)
    let record = try StateTransaction.run(on: connection) { () throws(HostError) in
      guard try newest(name) != nil else { throw Self.missing(name, nil) }
      _ = try rows(
        "UPDATE signing_key SET key_id = NULL, sealed = NULL WHERE name = ?", .text(name))
      let record = try insert(name)
      _ = try rows(
        """
        DELETE FROM signing_key WHERE name = ?1 AND version NOT IN
          (SELECT version FROM signing_key WHERE name = ?1 ORDER BY version DESC LIMIT ?2)
        """, .text(name), .integer(Int64(Self.versionsMax)))
      return record
    }
    opened[name] = nil
    try fold()
    return record
  }

  /// Removes all versions. False if there was none.
  @discardableResult
  package func delete(_ name: String) throws(HostError) -> Bool {
    try SecretPolicy.requireName(name)
    let isGone = try StateTransaction.run(on: connection) { () throws(HostError) in
      _ = try rows("DELETE FROM signing_key WHERE name = ?", .text(name))
      return connection.changes > 0
    }
    opened[name] = nil
    if isGone { try fold() }
    return isGone
  }

  /// Every version of every key, by name and then version.
  package func list() throws(HostError) -> [SigningKeyRecord] {
    try rows("SELECT \(Self.columns) FROM signing_key ORDER BY name, version").map(Self.record)
  }

  /// The newest version, or the one asked for.
  package func publicKey(
    _ name: String, version: Int64? = nil
  ) throws(HostError) -> SigningKeyRecord {
    try SecretPolicy.requireName(name)
    let found = try versions(name)
    guard let record = version.map({ wanted in found.first { $0.version == wanted } }) ?? found.last
    else { throw Self.missing(name, version) }
    return record
  }

  /// 64 bytes over the message (RFC 8032 §5.1.6: the same message gives the same signature), and the version that signed.
  package func sign(
    _ message: [UInt8], with name: String
  ) throws(HostError) -> (signature: [UInt8], version: Int64) {
    let (version, key) = try privateKey(name)
    guard let signature = try? key.signature(for: message) else {
      throw HostError(.internal, "signing", "the host could not sign")
    }
    return (Array(signature), version)
  }

  /// The version under which the signature holds; nil if under none.
  package func verify(
    _ signature: [UInt8], over message: [UInt8], name: String, version: Int64? = nil
  ) throws(HostError) -> Int64? {
    try SecretPolicy.requireName(name)
    let found = try versions(name).filter { version == nil || $0.version == version }
    guard !found.isEmpty else { throw Self.missing(name, version) }
    return found.reversed().first {
      Self.verify(signature, over: message, publicKey: $0.publicKey.raw)
    }?.version
  }

  /// Strict: see `Ed25519Rules`.
  package static func verify(
    _ signature: [UInt8], over message: [UInt8], publicKey: [UInt8]
  ) -> Bool {
    guard Ed25519Rules.isAcceptable(publicKey: publicKey),
      Ed25519Rules.isAcceptable(signature: signature),
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey)
    else { return false }
    return key.isValidSignature(signature, for: message)
  }

  private static func missing(_ name: String, _ version: Int64?) -> HostError {
    HostError(
      .notFound, "key",
      "there is no key \"\(name)\"" + (version.map { " of version \($0)" } ?? ""))
  }
}

extension KeyStore {
  private static let columns = "name, version, public_key, created_at, sealed IS NOT NULL"

  private static func record(_ row: [SQLiteValue]) -> SigningKeyRecord {
    SigningKeyRecord(
      name: row[0].string ?? "", version: row[1].int ?? 0,
      publicKey: PublicKeyFormats(raw: row[2].bytes ?? []), createdAt: row[3].int ?? 0,
      canSign: row[4].int == 1)
  }

  private func versions(_ name: String) throws(HostError) -> [SigningKeyRecord] {
    try rows(
      "SELECT \(Self.columns) FROM signing_key WHERE name = ? ORDER BY version", .text(name)
    ).map(Self.record)
  }

  private func newest(_ name: String) throws(HostError) -> SigningKeyRecord? {
    try versions(name).last
  }

  private func insert(_ name: String) throws(HostError) -> SigningKeyRecord {
    try requireRoom()
    guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: random(32)) else {
      throw HostError(.internal, "signing", "the host could not make a key")
    }
    _ = try rows(
      "INSERT INTO signing_key_name VALUES (?, 1) ON CONFLICT DO UPDATE SET last_version = last_version + 1",
      .text(name))
    let version =
      try rows("SELECT last_version FROM signing_key_name WHERE name = ?", .text(name))
      .first?[0].int ?? 1
    let sealed = try vault.seal(Array(key.rawRepresentation), name: name, version: version)
    _ = try rows(
      "INSERT INTO signing_key VALUES (?, ?, ?, ?, ?, ?)", .text(name), .integer(version),
      .blob(Array(key.publicKey.rawRepresentation)), .integer(now()), .text(sealed.keyID),
      .blob(sealed.bytes))
    guard let record = try newest(name) else { throw Self.missing(name, version) }
    return record
  }

  private func privateKey(
    _ name: String
  ) throws(HostError) -> (version: Int64, key: Curve25519.Signing.PrivateKey) {
    if let known = opened[name] { return known }
    try SecretPolicy.requireName(name)
    let found = try rows(
      """
      SELECT version, key_id, sealed, public_key FROM signing_key
      WHERE name = ? AND sealed IS NOT NULL ORDER BY version DESC LIMIT 1
      """, .text(name))
    guard let row = found.first, let version = row[0].int else { throw Self.missing(name, nil) }
    let seed = try vault.open(
      Sealed(keyID: row[1].string ?? "", bytes: row[2].bytes ?? []), name: name, version: version)
    guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
      Array(key.publicKey.rawRepresentation) == row[3].bytes
    else { throw HostError(.internal, "signing", "the stored key is damaged and was not used") }
    opened[name] = (version, key)
    return (version, key)
  }

  /// As `SecretStore.rewrap`, for private halves.
  @discardableResult
  package func rewrap(atMost batch: Int = 100) throws(HostError) -> Int {
    let current = vault.ring.now.current.id
    try StateTransaction.run(on: connection) { () throws(HostError) in
      let stale = try rows(
        "SELECT name, version, key_id, sealed FROM signing_key WHERE key_id <> ? LIMIT ?",
        .text(current), .integer(Int64(batch)))
      for row in stale {
        let name = row[0].string ?? ""
        let version = row[1].int ?? 0
        let old = Sealed(keyID: row[2].string ?? "", bytes: row[3].bytes ?? [])
        let seed = try vault.open(old, name: name, version: version)
        let sealed = try vault.seal(seed, name: name, version: version)
        _ = try rows(
          "UPDATE signing_key SET key_id = ?, sealed = ? WHERE name = ? AND version = ?",
          .text(sealed.keyID), .blob(sealed.bytes), .text(name), .integer(version))
      }
    }
    let left = try rows("SELECT count(*) FROM signing_key WHERE key_id <> ?", .text(current))
    if left.first?[0].int == 0 { try fold() }
    return Int(left.first?[0].int ?? 0)
  }

  private func rows(
    _ sql: String, _ values: SQLiteValue...
  ) throws(HostError) -> [[SQLiteValue]] {
    do throws(SQLiteError) { return try connection.run(sql, values) } catch {
      throw StateTransaction.failure(error)
    }
  }

  /// What was destroyed must not stand in the write-ahead log.
  private func fold() throws(HostError) { _ = try rows("PRAGMA wal_checkpoint(TRUNCATE)") }
}
