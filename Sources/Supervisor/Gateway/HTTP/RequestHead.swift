// SPDX-License-Identifier: Apache-2.0

/// One request line and its headers, checked, as offsets into the bytes they arrived in.
struct RequestHead: Sendable {
  enum Method: UInt8, Sendable {
    case get, head, options, other
  }

  struct Field: Sendable {
    var name: ByteSpan
    var value: ByteSpan
    var kind: FieldKind
  }

  var method: Method = .other
  var methodName = ByteSpan.empty
  /// Path and query, also where the client sent an absolute address; `*` for a request about the server.
  var target = ByteSpan.empty
  /// The server named in an absolute address.
  var authority: ByteSpan?
  var host = ByteSpan.empty
  var isHTTP11 = true
  var fields: [Field] = []

  /// The body's length, if it has been said; nil for chunked and for no body.
  var contentLength: Int?
  var isChunked = false
  var keepsAlive = true
  var expectsContinue = false
  var wantsWebSocket = false
  /// `Connection` names headers beside its own words.
  var namesConnectionFields = false
  /// A byte above 0x7f is in the target; it is percent-encoded before anyone else sees it.
  var targetIsRaw = false
  /// From the first byte of the request line to the last of the empty line.
  var byteCount = 0

  var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

  /// The value of the first header of a kind.
  func value(_ kind: FieldKind) -> ByteSpan? {
    for field in fields where field.kind == kind { return field.value }
    return nil
  }

  func count(_ kind: FieldKind) -> Int {
    var count = 0
    for field in fields where field.kind == kind { count += 1 }
    return count
  }
}
