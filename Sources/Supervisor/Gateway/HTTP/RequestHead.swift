// SPDX-License-Identifier: Apache-2.0

/// One request line and its headers, checked, as offsets into the bytes they arrived in.
package struct RequestHead: Sendable {
  package enum Method: UInt8, Sendable {
    case get, head, options, other
  }

  package struct Field: Sendable {
    package var name: ByteSpan
    package var value: ByteSpan
    package var kind: FieldKind
  }

  package var method: Method = .other
  package var methodName = ByteSpan.empty
  /// Path and query, also where the client sent an absolute address; `*` for a request about the server.
  package var target = ByteSpan.empty
  /// The server named in an absolute address.
  package var authority: ByteSpan?
  package var host = ByteSpan.empty
  package var isHTTP11 = true
  package var fields: [Field] = []

  /// The body's length, if it has been said; nil for chunked and for no body.
  package var contentLength: Int?
  package var isChunked = false
  package var keepsAlive = true
  package var expectsContinue = false
  package var wantsWebSocket = false
  /// `Connection` names headers beside its own words.
  package var namesConnectionFields = false
  /// A byte above 0x7f is in the target; it is percent-encoded before anyone else sees it.
  package var targetIsRaw = false
  /// From the first byte of the request line to the last of the empty line.
  package var byteCount = 0

  package init() {}

  package var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

  /// The value of the first header of a kind.
  package func value(_ kind: FieldKind) -> ByteSpan? {
    for field in fields where field.kind == kind { return field.value }
    return nil
  }

  package func count(_ kind: FieldKind) -> Int {
    var count = 0
    for field in fields where field.kind == kind { count += 1 }
    return count
  }
}
