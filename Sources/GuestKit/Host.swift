// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// What a guest may ask of its host.
public struct Host: Sendable {
  let connection: Connection

  /// Any method of docs/PROTOCOL.md.
  public func call(
    _ method: String, _ params: JSONValue = [:], body: [UInt8] = []
  ) async throws(GuestError) -> (result: JSONValue, body: [UInt8]) {
    let frame = try await connection.call(method, params, body: body)
    return (frame.json, frame.body)
  }

  /// One of the app's databases, by the name in its manifest.
  public func sql(_ database: String) -> Database { Database(name: database, host: self) }

  /// The app's secrets.
  public var secrets: Secrets { Secrets(host: self) }

  /// The app's signing keys.
  public var keys: Keys { Keys(host: self) }

  /// What the app used and what it costs.
  public var usage: Usage { Usage(host: self) }

  /// Writes to the app's log, with a level.
  public func log(_ message: String, level: String = "info") async throws(GuestError) {
    _ = try await call("log.write", ["level": .string(level), "message": .string(message)])
  }
}
