// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// The methods `secrets.*` of one app. Values travel in the body, so that nothing that prints a message's JSON prints
/// one. Belongs to its store's queue.
package final class SecretService {
  private let store: SecretStore

  package init(store: SecretStore) { self.store = store }

  /// The result and the body of the answer.
  package func answer(
    _ method: String, _ params: JSONValue, body: [UInt8]
  ) throws(HostError) -> (result: JSONValue, body: [UInt8]) {
    switch method {
    case "secrets.get":
      let (value, record) = try store.get(
        try KeyService.name(params), version: try KeyService.version(params))
      return (Self.json(record), value.bytes)
    case "secrets.set":
      let record = try store.set(
        try KeyService.name(params), try Self.value(params, body), origin: .app)
      return (Self.json(record), [])
    case "secrets.getOrCreate":
      let generator = try SecretGenerator(params["generate"] ?? ["kind": "token"])
      let (value, record, wasMade) = try store.getOrCreate(
        try KeyService.name(params), generator)
      var object = Self.json(record).object ?? JSONObject()
      object["created"] = .bool(wasMade)
      return (.object(object), value.bytes)
    case "secrets.list": return (["secrets": .array(try store.list().map(Self.json))], [])
    case "secrets.delete":
      let name = try KeyService.name(params)
      guard try store.delete(name) else {
        throw HostError(.notFound, "secret", "there is no secret \"\(name)\"")
      }
      return ([:], [])
    default: throw HostError(.method, "", "this host has no method \(method.prefix(64))")
    }
  }

  /// The body, or `value` if it is given: a string for those who have no bytes to send.
  private static func value(
    _ params: JSONValue, _ body: [UInt8]
  ) throws(HostError) -> SecretBytes {
    guard let given = params["value"] else { return SecretBytes(body) }
    guard let text = given.string, body.isEmpty else {
      throw HostError(.params, "", "\"value\" must be a string, and the body empty then")
    }
    return SecretBytes(Array(text.utf8))
  }

  private static func json(_ record: SecretRecord) -> JSONValue {
    [
      "name": .string(record.name), "version": .int(record.version), "setAt": .int(record.setAt),
      "origin": .string(record.origin.rawValue),
      "versions": .array(record.versions.map { .int($0) }),
    ]
  }
}
