// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// The app's secrets: bytes that the host keeps sealed, in versions. docs/SECRETS.md has limits and errors.
public struct Secrets: Sendable {
  let host: Host

  /// How a value is made when there is none yet. Lengths are from 16 to 1,024.
  public enum Generator: Sendable {
    /// Characters of base64url: 6 bits each.
    case token(length: Int = 32)
    case bytes(count: Int = 32)
    /// Letters and digits that people can tell apart.
    case password(length: Int = 20)
  }

  /// The value; of an earlier version if one is named.
  ///
  /// - Throws: `refused` with `not_found.secret`.
  public func get(_ name: String, version: Int64? = nil) async throws(GuestError) -> [UInt8] {
    try await host.call("secrets.get", .named(name, version: version)).body
  }

  /// Keeps a new version, of at most 65,536 bytes.
  @discardableResult
  public func set(_ name: String, _ value: [UInt8]) async throws(GuestError) -> Secret {
    try Secret(await host.call("secrets.set", .named(name), body: value).result)
  }

  /// Keeps a new version: the UTF-8 of a text.
  @discardableResult
  public func set(_ name: String, _ text: String) async throws(GuestError) -> Secret {
    try await set(name, Array(text.utf8))
  }

  /// The value; if there is none, a random one is made. All who ask at once get the same.
  public func getOrCreate(
    _ name: String, _ generator: Generator = .token()
  ) async throws(GuestError) -> [UInt8] {
    let params: JSONValue = ["name": .string(name), "generate": generator.json]
    return try await host.call("secrets.getOrCreate", params).body
  }

  /// Every secret, without values.
  public func list() async throws(GuestError) -> [Secret] {
    let (result, _) = try await host.call("secrets.list")
    var secrets: [Secret] = []
    for one in result["secrets"]?.array ?? [] { secrets.append(try Secret(one)) }
    return secrets
  }

  /// Drops all versions.
  public func delete(_ name: String) async throws(GuestError) {
    _ = try await host.call("secrets.delete", .named(name))
  }
}

/// What is known of a secret but its value.
public struct Secret: Sendable, Equatable {
  public var name: String
  /// The newest.
  public var version: Int64
  /// Those that are kept.
  public var versions: [Int64]
  /// Seconds since 1970.
  public var setAt: Int64
  /// `app`, `operator` or `generated`.
  public var origin: String

  init(_ json: JSONValue) throws(GuestError) {
    guard let name = json["name"]?.string, let version = json["version"]?.int,
      let versions = json["versions"]?.array, let setAt = json["setAt"]?.int,
      let origin = json["origin"]?.string
    else { throw .unexpectedAnswer("a secret without name, version, versions, setAt or origin") }
    self.name = name
    self.version = version
    self.versions = versions.compactMap(\.int)
    self.setAt = setAt
    self.origin = origin
  }
}

extension Secrets.Generator {
  var json: JSONValue {
    switch self {
    case .token(let length): ["kind": "token", "length": .int(Int64(length))]
    case .bytes(let count): ["kind": "bytes", "length": .int(Int64(count))]
    case .password(let length): ["kind": "password", "length": .int(Int64(length))]
    }
  }
}

extension JSONValue {
  /// Params of what has a name, and perhaps versions.
  static func named(_ name: String, version: Int64? = nil) -> JSONValue {
    version.map { ["name": .string(name), "version": .int($0)] } ?? ["name": .string(name)]
  }
}
