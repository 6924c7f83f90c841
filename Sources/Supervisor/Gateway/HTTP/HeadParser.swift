// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Reads request heads by RFC 9112, strictly: every leniency there has been a way to smuggle a request past a proxy.
/// Lines end in CR LF, names in a colon with no space before it, nothing is folded, and a body's length is said once
/// and in one way. Each line is looked at once, however slowly it arrives.
package struct HeadParser: Sendable {
  package enum Outcome: Sendable {
    case incomplete
    case complete
    case refused(Refusal)
  }

  package let headBytesMax: Int
  package let headerCountMax: Int
  package let targetBytesMax: Int
  /// The request being read; whole once `parse` says `complete`, until `reset`.
  package private(set) var head = RequestHead()
  /// Bytes before the request line, all of them CR LF.
  package private(set) var skipped = 0
  private var lineStart = 0
  private var scanned = 0
  private var hasRequestLine = false
  private var hostCount = 0
  private var connection = ConnectionWords()

  package init(_ bounds: GatewayBounds) {
    headBytesMax = bounds.headBytesMax
    headerCountMax = bounds.headerCountMax
    targetBytesMax = bounds.targetBytesMax
  }

  package mutating func reset() {
    var fields = head.fields
    fields.removeAll(keepingCapacity: true)
    head = RequestHead()
    head.fields = fields
    (skipped, lineStart, scanned, hostCount) = (0, 0, 0, 0)
    hasRequestLine = false
    connection = ConnectionWords()
  }

  /// - Parameter bytes: all that has arrived since the last request ended; the same and more at each call.
  package mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    do throws(Refusal) {
      while let lineFeed = nextLineFeed(bytes) {
        guard lineFeed > lineStart, bytes[lineFeed - 1] == ASCII.carriageReturn else {
          throw .malformed("A line of the head does not end in CR LF.")
        }
        let line = lineStart..<(lineFeed - 1)
        scanned = lineFeed + 1
        lineStart = scanned
        if try take(line, bytes) { return .complete }
      }
      try checkUnfinished(bytes)
      return .incomplete
    } catch {
      return .refused(error)
    }
  }

  private mutating func nextLineFeed(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard scanned < bytes.count, let base = bytes.baseAddress else { return nil }
    let from = base + scanned
    guard let found = memchr(from, Int32(ASCII.lineFeed), bytes.count - scanned) else {
      return nil
    }
    return scanned + (UnsafeRawPointer(found) - from)
  }

  /// One whole line. True if it was the empty one that ends the head.
  private mutating func take(
    _ line: Range<Int>, _ bytes: UnsafeRawBufferPointer
  ) throws(Refusal) -> Bool {
    guard scanned - skipped <= headBytesMax else {
      throw hasRequestLine ? .headTooLarge : .targetTooLong
    }
    guard hasRequestLine else {
      if line.isEmpty {
        // RFC 9112 §2.2: a client may send an empty line after a body.
        guard skipped < 4 else { throw .malformed("The request begins with empty lines.") }
        skipped += 2
      } else {
        try RequestLine.read(line, bytes, targetBytesMax: targetBytesMax, into: &head)
        hasRequestLine = true
      }
      return false
    }
    guard line.isEmpty else {
      try takeField(line, bytes)
      return false
    }
    try finish(bytes)
    return true
  }

  private mutating func checkUnfinished(_ bytes: UnsafeRawBufferPointer) throws(Refusal) {
    if !hasRequestLine {
      if bytes.count > lineStart, !Self.mayBegin(bytes[lineStart]) {
        throw .malformed("This is not HTTP. If it is TLS, use http:// here.")
      }
      if bytes.count - lineStart > targetBytesMax + RequestLine.overheadMax {
        throw .targetTooLong
      }
    }
    if bytes.count - skipped > headBytesMax { throw .headTooLarge }
    scanned = max(scanned, bytes.count)
  }

  private static func mayBegin(_ byte: UInt8) -> Bool {
    byte > ASCII.space && byte < 0x7f || byte == ASCII.carriageReturn
  }

  private mutating func takeField(
    _ line: Range<Int>, _ bytes: UnsafeRawBufferPointer
  ) throws(Refusal) {
    guard head.fields.count < headerCountMax else { throw .tooManyHeaders }
    let text = UnsafeRawBufferPointer(rebasing: bytes[line])
    guard let colon = memchr(text.baseAddress!, Int32(ASCII.colon), text.count) else {
      throw .malformed("A header has no colon.")
    }
    let nameCount = UnsafeRawPointer(colon) - text.baseAddress!
    let name = UnsafeRawBufferPointer(rebasing: text[..<nameCount])
    guard ASCII.isToken(name) else {
      throw .malformed("The name of a header is empty, folded or holds a character it must not.")
    }
    let value = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: text[(nameCount + 1)...]))
    guard ASCII.isFieldValue(value) else {
      throw .malformed("The value of a header holds a control character.")
    }
    let field = RequestHead.Field(
      name: ByteSpan(line.lowerBound, nameCount),
      value: value.isEmpty
        ? .empty : ByteSpan(value.baseAddress! - bytes.baseAddress!, value.count),
      kind: FieldKind(name: name))
    head.fields.append(field)
    if field.kind != .other { try note(field, value) }
  }

  private mutating func note(
    _ field: RequestHead.Field, _ value: UnsafeRawBufferPointer
  ) throws(Refusal) {
    switch field.kind {
    case .host:
      hostCount += 1
      head.host = field.value
    case .contentLength:
      guard head.contentLength == nil else {
        throw .malformed("Content-Length is given more than once.")
      }
      guard let length = ASCII.decimal(value) else {
        throw .malformed("Content-Length is not a number.")
      }
      head.contentLength = length
    case .transferEncoding:
      guard !head.isChunked, ASCII.equalsIgnoringCase(value, "chunked") else {
        throw .malformed("The only Transfer-Encoding this server reads is chunked, once.")
      }
      head.isChunked = true
    case .connection:
      connection.read(value)
    case .upgrade:
      ASCII.forEachElement(value) {
        if ASCII.equalsIgnoringCase($0, "websocket") { head.wantsWebSocket = true }
      }
    case .expect:
      guard ASCII.equalsIgnoringCase(value, "100-continue") else { throw .expectation }
      head.expectsContinue = true
    default: break
    }
  }

  private mutating func finish(_ bytes: UnsafeRawBufferPointer) throws(Refusal) {
    guard hostCount == 1 else {
      throw .malformed(hostCount == 0 ? "There is no Host header." : "There are two Host headers.")
    }
    if head.isChunked {
      guard head.contentLength == nil else {
        throw .malformed("Content-Length and Transfer-Encoding exclude one another.")
      }
      guard head.isHTTP11 else { throw .malformed("HTTP/1.0 has no Transfer-Encoding.") }
    }
    head.keepsAlive = head.isHTTP11 ? !connection.close : connection.keepAlive && !connection.close
    head.wantsWebSocket = head.wantsWebSocket && connection.upgrade
    head.namesConnectionFields = connection.namesFields
    if !head.isHTTP11 { head.expectsContinue = false }
    head.byteCount = lineStart - skipped
  }
}

/// What the Connection headers of one request say.
private struct ConnectionWords: Sendable {
  var close = false
  var keepAlive = false
  var upgrade = false
  var namesFields = false

  mutating func read(_ value: UnsafeRawBufferPointer) {
    var words = self
    ASCII.forEachElement(value) { word in
      if ASCII.equalsIgnoringCase(word, "close") {
        words.close = true
      } else if ASCII.equalsIgnoringCase(word, "keep-alive") {
        words.keepAlive = true
      } else if ASCII.equalsIgnoringCase(word, "upgrade") {
        words.upgrade = true
      } else {
        words.namesFields = true
      }
    }
    self = words
  }
}
