// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// What a guest may ask of its host.
public struct Host: Sendable {
  let connection: Connection

  /// Any method of docs/PROTOCOL.md whose answer is one frame.
  public func call(
    _ method: String, _ params: JSONValue = [:], body: [UInt8] = []
  ) async throws(GuestError) -> (result: JSONValue, body: [UInt8]) {
    let reply = try await connection.call(method, params, body: body)
    // A body that goes on has no taker here.
    reply.stream?.abandon()
    return (reply.result, reply.body)
  }

  /// A method of SQL, straight to the worker where that way is open.
  func sql(
    _ method: String, _ params: JSONValue, body: [UInt8] = [], _ timeout: Duration? = nil
  ) async throws(GuestError) -> Reply {
    let meta = Message.Meta(deadlineMs: timeout?.milliseconds)
    if let reply = try await connection.sql.call(method, params, body: body, meta: meta) {
      return reply
    }
    return try await connection.call(method, params, body: body, meta: meta)
  }

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
