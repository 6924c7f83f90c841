// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// One request of a client.
public struct HTTPRequest: Sendable {
  public var head: HTTPRequestHead
  /// The body, piece by piece as it arrives.
  public var body: RequestBody

  public var method: String { head.method }
  /// Path and query, as the client sent them.
  public var target: String { head.target }
  /// The target up to the query.
  public var path: String { String(target.prefix { $0 != "?" }) }
  /// Who the host says is asking; nil for a stranger.
  public var identity: Identity? { head.identity }

  /// The first header of that name, whatever its case.
  public func header(_ name: String) -> String? {
    let wanted = name.lowercased()
    return head.headers.first { $0.name.lowercased() == wanted }?.value
  }
}

/// What a handler answers.
public struct HTTPResponse: Sendable {
  public enum Body: Sendable {
    case bytes([UInt8])
    /// Pieces sent as they come, as fast as the client reads.
    case stream(AsyncThrowingStream<[UInt8], any Error>)
  }

  public var status: Int
  public var headers: [(name: String, value: String)]
  public var body: Body

  public init(status: Int = 200, headers: [(name: String, value: String)] = [], body: Body) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  public static func text(_ text: String, status: Int = 200) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: [("content-type", "text/plain; charset=utf-8")],
      body: .bytes(Array(text.utf8)))
  }

  public static func json(_ value: JSONValue, status: Int = 200) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: [("content-type", "application/json")],
      body: .bytes(value.encoded))
  }
}
