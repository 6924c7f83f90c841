// SPDX-License-Identifier: Apache-2.0
import GuestAPI

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The methods `keys.*` of one app. Belongs to its store's queue.
package final class KeyService {
  private let store: KeyStore
  private var rate: SigningRate
  private let nowNanoseconds: () -> Int64

  /// - Parameter nowNanoseconds: a monotonic clock.
  package init(store: KeyStore, rate: SigningRate, nowNanoseconds: @escaping () -> Int64) {
    self.store = store
    self.rate = rate
    self.nowNanoseconds = nowNanoseconds
  }

  /// The result and the body of the answer.
  package func answer(
    _ method: String, _ params: JSONValue, body: [UInt8]
  ) throws(HostError) -> (result: JSONValue, body: [UInt8]) {
    switch method {
    case "keys.create": return (Self.json(try store.create(try Self.name(params))), [])
    case "keys.rotate": return (Self.json(try store.rotate(try Self.name(params))), [])
    case "keys.publicKey":
      let version = try Self.version(params)
      return (Self.json(try store.publicKey(try Self.name(params), version: version)), [])
    case "keys.list": return (["keys": .array(try store.list().map(Self.json))], [])
    case "keys.delete":
      let name = try Self.name(params)
      guard try store.delete(name) else {
        throw HostError(.notFound, "key", "there is no key \"\(name)\"")
      }
      return ([:], [])
    case "keys.sign": return try sign(params, body)
    case "keys.verify": return (try verify(params, body), [])
    default: throw HostError(.method, "", "this host has no method \(method.prefix(64))")
    }
  }

  /// The body is the message, the answer's body the signature.
  private func sign(
    _ params: JSONValue, _ message: [UInt8]
  ) throws(HostError) -> (JSONValue, [UInt8]) {
    let name = try Self.name(params)
    if let wait = rate.take(nowNanoseconds: nowNanoseconds()) {
      throw HostError(
        .overloaded, "signing",
        "the app signs more than \(rate.perSecond) times a second; try again in \(wait) ms",
        data: [("retryAfterMs", .int(wait))])
    }
    let (signature, version) = try store.sign(message, with: name)
    return (["version": .int(version)], signature)
  }

  /// The body is the signature's 64 bytes, then the message.
  private func verify(_ params: JSONValue, _ body: [UInt8]) throws(HostError) -> JSONValue {
    guard body.count >= Ed25519Rules.signatureBytes else {
      throw HostError(
        .params, "", "the body must be the 64 bytes of the signature, then the message")
    }
    let signature = Array(body.prefix(Ed25519Rules.signatureBytes))
    let message = Array(body.dropFirst(Ed25519Rules.signatureBytes))
    if let text = params["publicKey"] {
      guard let key = text.string.flatMap({ Data(base64Encoded: $0) }),
        key.count == Ed25519Rules.publicKeyBytes
      else { throw HostError(.params, "", "\"publicKey\" must be 32 bytes in base64") }
      return ["valid": .bool(KeyStore.verify(signature, over: message, publicKey: Array(key)))]
    }
    let version = try store.verify(
      signature, over: message, name: try Self.name(params), version: try Self.version(params))
    return ["valid": .bool(version != nil), "version": version.map { .int($0) } ?? .null]
  }

  static func name(_ params: JSONValue) throws(HostError) -> String {
    guard let name = params["name"]?.string else {
      throw HostError(.params, "", "\"name\" must be a string")
    }
    return name
  }

  static func version(_ params: JSONValue) throws(HostError) -> Int64? {
    guard let value = params["version"], !value.isNull else { return nil }
    guard let version = value.int, version > 0 else {
      throw HostError(.params, "", "\"version\" must be a positive integer")
    }
    return version
  }

  private static func json(_ record: SigningKeyRecord) -> JSONValue {
    [
      "name": .string(record.name), "version": .int(record.version), "algorithm": "Ed25519",
      "createdAt": .int(record.createdAt), "canSign": .bool(record.canSign),
      "raw": .string(record.publicKey.base64), "pem": .string(record.publicKey.pem),
      "jwk": record.publicKey.jwk,
    ]
  }
}
