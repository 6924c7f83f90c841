// SPDX-License-Identifier: Apache-2.0

/// An answer the gateway gives by itself because of what the client sent or because nobody can answer.
struct Refusal: Error, Sendable, Equatable {
  var status: Int
  /// A stable word.
  var code: String
  /// One or two sentences for the client; holds nothing of the host.
  var detail: String
  /// Seconds after which the same request may succeed.
  var retryAfter: Int?
  /// Whether the bytes that follow can no longer be trusted to be a request.
  var closes = true

  init(
    _ status: Int, _ code: String, _ detail: String, retryAfter: Int? = nil, closes: Bool = true
  ) {
    self.status = status
    self.code = code
    self.detail = detail
    self.retryAfter = retryAfter
    self.closes = closes
  }

  static func malformed(_ detail: String) -> Refusal { Refusal(400, "request.malformed", detail) }

  static let targetTooLong = Refusal(
    414, "request.target_too_long", "The address is longer than this server reads.")
  static let headTooLarge = Refusal(
    431, "request.head_too_large", "The headers are larger than this server reads.")
  static let tooManyHeaders = Refusal(
    431, "request.too_many_headers", "There are more headers than this server reads.")
  static let headTimeout = Refusal(
    408, "request.head_timeout", "The request did not arrive in time.")
  static let bodyTimeout = Refusal(
    408, "request.body_timeout", "The body of the request arrived too slowly.")
  static let expectation = Refusal(
    417, "request.expectation", "The only expectation this server knows is 100-continue.")
  static let version = Refusal(
    505, "request.version", "This server speaks HTTP/1.1 and HTTP/1.0.")
  static let method = Refusal(
    501, "request.method", "This server does not know the method of the request.")
  static let upgrade = Refusal(
    501, "request.upgrade", "This server does not offer WebSocket.", closes: false)
  static let hostConflict = Refusal.malformed(
    "The address in the request line and the Host header name different servers.")
  static let unknownOrigin = Refusal(
    404, "origin.unknown", "No app answers to this name.", closes: false)
  static let unauthenticated = Refusal(
    401, "identity.required", "Sign in first.", closes: false)
  static let tooManyConnections = Refusal(
    503, "overloaded.connections", "There are too many connections. Try again shortly.",
    retryAfter: 1)
}
