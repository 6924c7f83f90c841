// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// The app's Ed25519 keys. The host signs; no call gives a private key. docs/SECRETS.md has limits and errors.
public struct Keys: Sendable {
  let host: Host

  /// Makes a key.
  ///
  /// - Throws: `refused` with `conflict.key` if there is one of that name.
  public func create(_ name: String) async throws(GuestError) -> PublicKey {
    try PublicKey(await host.call("keys.create", .named(name)).result)
  }

  /// The newest version of a key; the key is made if there is none.
  public func getOrCreate(_ name: String) async throws(GuestError) -> PublicKey {
    do { return try await publicKey(name) } catch  where error.code == "not_found.key" {}
    do { return try await create(name) } catch  where error.code == "conflict.key" {}
    return try await publicKey(name)  // Somebody else was first.
  }

  /// Makes a new version, which signs from now on; what earlier ones signed goes on verifying.
  public func rotate(_ name: String) async throws(GuestError) -> PublicKey {
    try PublicKey(await host.call("keys.rotate", .named(name)).result)
  }

  /// The newest version of a key, or the one that is named.
  ///
  /// - Throws: `refused` with `not_found.key`.
  public func publicKey(
    _ name: String, version: Int64? = nil
  ) async throws(GuestError) -> PublicKey {
    try PublicKey(await host.call("keys.publicKey", .named(name, version: version)).result)
  }

  /// The 64 bytes of signature over a message, which must fit one frame.
  ///
  /// - Throws: `refused` with `not_found.key`, or `overloaded.signing` beyond 1,000 signatures a second.
  public func sign(_ message: [UInt8], with name: String) async throws(GuestError) -> [UInt8] {
    try await host.call("keys.sign", .named(name), body: message).body
  }

  /// Whether the signature is one of the app's key of that name; any version of it, unless one is named.
  public func verify(
    _ signature: [UInt8], over message: [UInt8], by name: String, version: Int64? = nil
  ) async throws(GuestError) -> Bool {
    try await verify(signature, message, .named(name, version: version))
  }

  /// Whether the signature is one of anybody's key, given as its 32 bytes.
  public func verify(
    _ signature: [UInt8], over message: [UInt8], publicKey: [UInt8]
  ) async throws(GuestError) -> Bool {
    try await verify(signature, message, ["publicKey": .string(Base64.encode(publicKey))])
  }

  private func verify(
    _ signature: [UInt8], _ message: [UInt8], _ params: JSONValue
  ) async throws(GuestError) -> Bool {
    // One of another length is none, and would shift the border in the body.
    guard signature.count == PublicKey.signatureBytes else { return false }
    let answer = try await host.call("keys.verify", params, body: signature + message)
    guard let isValid = answer.result["valid"]?.bool else {
      throw .unexpectedAnswer("keys.verify answered without \"valid\"")
    }
    return isValid
  }

  /// Every version of every key.
  public func list() async throws(GuestError) -> [PublicKey] {
    let (result, _) = try await host.call("keys.list")
    var keys: [PublicKey] = []
    for one in result["keys"]?.array ?? [] { keys.append(try PublicKey(one)) }
    return keys
  }

  /// Drops all versions: nothing verifies by that name any more.
  public func delete(_ name: String) async throws(GuestError) {
    _ = try await host.call("keys.delete", .named(name))
  }
}

/// The public half of one version of a key.
public struct PublicKey: Sendable, Equatable {
  public static let signatureBytes = 64

  public var name: String
  public var version: Int64
  /// Seconds since 1970.
  public var createdAt: Int64
  /// Older versions only verify.
  public var canSign: Bool
  /// 32 bytes.
  public var raw: [UInt8]
  /// SubjectPublicKeyInfo, RFC 8410.
  public var pem: String
  /// RFC 8037.
  public var jwk: JSONValue

  init(_ json: JSONValue) throws(GuestError) {
    guard let name = json["name"]?.string, let version = json["version"]?.int,
      let createdAt = json["createdAt"]?.int, let canSign = json["canSign"]?.bool,
      let raw = json["raw"]?.string.flatMap(Base64.decode), let pem = json["pem"]?.string,
      let jwk = json["jwk"]
    else {
      throw .unexpectedAnswer(
        "a key without name, version, createdAt, canSign, raw, pem or jwk")
    }
    self.name = name
    self.version = version
    self.createdAt = createdAt
    self.canSign = canSign
    self.raw = raw
    self.pem = pem
    self.jwk = jwk
  }
}
