// SPDX-License-Identifier: Apache-2.0

/// An answer the gateway gives by itself because of what the client sent or because nobody can answer.
package struct Refusal: Error, Sendable, Equatable {
  package var status: Int
  /// A stable word.
  package var code: String
  /// One or two sentences for the client; holds nothing of the host.
  package var detail: String
  /// Seconds after which the same request may succeed.
  package var retryAfter: Int?
  /// Whether the bytes that follow can no longer be trusted to be a request.
  package var closes = true

  package init(
    _ status: Int, _ code: String, _ detail: String, retryAfter: Int? = nil, closes: Bool = true
  ) {
    self.status = status
    self.code = code
    self.detail = detail
    self.retryAfter = retryAfter
    self.closes = closes
  }

  package static func malformed(_ detail: String) -> Refusal {
    Refusal(400, "request.malformed", detail)
  }

  package static let targetTooLong = Refusal(
    414, "request.target_too_long", "The address is longer than this server reads.")
  package static let headTooLarge = Refusal(
    431, "request.head_too_large", "The headers are larger than this server reads.")
  package static let tooManyHeaders = Refusal(
    431, "request.too_many_headers", "There are more headers than this server reads.")
  package static let headTimeout = Refusal(
    408, "request.head_timeout", "The request did not arrive in time.")
  package static let bodyTimeout = Refusal(
    408, "request.body_timeout", "The body of the request arrived too slowly.")
  package static let expectation = Refusal(
    417, "request.expectation", "The only expectation this server knows is 100-continue.")
  package static let version = Refusal(
    505, "request.version", "This server speaks HTTP/1.1 and HTTP/1.0.")
  package static let method = Refusal(
    501, "request.method", "This server does not know the method of the request.")
  package static let upgrade = Refusal(
    501, "request.upgrade", "This server does not offer WebSocket.", closes: false)
  package static let hostConflict = Refusal.malformed(
    "The address in the request line and the Host header name different servers.")
  package static let unknownOrigin = Refusal(
    404, "origin.unknown", "No app answers to this name.", closes: false)
  package static let unauthenticated = Refusal(
    401, "identity.required", "Sign in first.", closes: false)
  package static let tooManyConnections = Refusal(
    503, "overloaded.connections", "There are too many connections. Try again shortly.",
    retryAfter: 1)
}
