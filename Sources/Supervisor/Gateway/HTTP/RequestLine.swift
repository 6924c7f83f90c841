// SPDX-License-Identifier: Apache-2.0

/// `method SP request-target SP HTTP-version` (RFC 9112 §3), one space each and nothing else.
package enum RequestLine {
  /// Longest method, in bytes.
  package static let methodBytesMax = 32
  /// What a request line holds beside its target, at most: method, spaces, version, CR LF and an absolute address's
  /// scheme and authority.
  package static let overheadMax = methodBytesMax + 12 + 8 + 255

  package static func read(
    _ line: Range<Int>, _ bytes: UnsafeRawBufferPointer, targetBytesMax: Int,
    into head: inout RequestHead
  ) throws(Refusal) {
    let text = UnsafeRawBufferPointer(rebasing: bytes[line])
    guard let first = text.firstIndex(of: ASCII.space),
      let last = text.lastIndex(of: ASCII.space), last > first + 1
    else { throw .malformed("The request line is not \"METHOD target HTTP/1.1\".") }
    try readMethod(UnsafeRawBufferPointer(rebasing: text[..<first]), into: &head)
    head.methodName = ByteSpan(line.lowerBound, first)
    try readVersion(UnsafeRawBufferPointer(rebasing: text[(last + 1)...]), into: &head)
    let target = UnsafeRawBufferPointer(rebasing: text[(first + 1)..<last])
    guard target.count <= targetBytesMax else { throw .targetTooLong }
    try readTarget(target, at: line.lowerBound + first + 1, into: &head)
  }

  private static func readMethod(
    _ method: UnsafeRawBufferPointer, into head: inout RequestHead
  ) throws(Refusal) {
    guard ASCII.isToken(method) else { throw .malformed("The method is not a word.") }
    guard method.count <= methodBytesMax else { throw .method }
    if ASCII.equals(method, "GET") {
      head.method = .get
    } else if ASCII.equals(method, "HEAD") {
      head.method = .head
    } else if ASCII.equals(method, "OPTIONS") {
      head.method = .options
    } else if ASCII.equals(method, "CONNECT") || ASCII.equals(method, "TRACE") {
      // A tunnel is not offered, and an echo would show a client headers it is not meant to see.
      throw .method
    }
  }

  private static func readVersion(
    _ version: UnsafeRawBufferPointer, into head: inout RequestHead
  ) throws(Refusal) {
    guard version.count == 8, ASCII.begins(version, "HTTP/"), version[6] == ASCII.dot,
      ASCII.isDigit(version[5]), ASCII.isDigit(version[7])
    else { throw .malformed("The request line does not end in HTTP/1.1.") }
    guard version[5] == UInt8(ascii: "1") else { throw .version }
    head.isHTTP11 = version[7] != UInt8(ascii: "0")
  }

  private static func readTarget(
    _ target: UnsafeRawBufferPointer, at offset: Int, into head: inout RequestHead
  ) throws(Refusal) {
    var isRaw = false
    for byte in target {
      guard byte > ASCII.space, byte != 0x7f, byte != UInt8(ascii: "#") else {
        throw .malformed("The address holds a character it must not.")
      }
      if byte > 0x7f { isRaw = true }
    }
    head.targetIsRaw = isRaw
    if target[0] == ASCII.slash {
      head.target = ByteSpan(offset, target.count)
    } else if target.count == 1, target[0] == UInt8(ascii: "*"), head.method == .options {
      head.target = ByteSpan(offset, 1)
    } else {
      try readAbsolute(target, at: offset, into: &head)
    }
  }

  /// `http://host[:port]/path?query` (RFC 9112 §3.2.2).
  private static func readAbsolute(
    _ target: UnsafeRawBufferPointer, at offset: Int, into head: inout RequestHead
  ) throws(Refusal) {
    let scheme =
      target.count > 7
        && ASCII.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: target[..<7]), "http://")
      ? 7
      : target.count > 8
        && ASCII.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: target[..<8]), "https://")
        ? 8 : 0
    guard scheme > 0 else {
      throw .malformed("The address is neither a path nor an http address.")
    }
    let rest = target[scheme...]
    let end = rest.firstIndex { $0 == ASCII.slash || $0 == ASCII.question } ?? rest.endIndex
    guard end > scheme, end - scheme <= 255 else {
      throw .malformed("The address names no server.")
    }
    // `http://host?query` has no path of its own; what follows would not begin with a slash.
    guard end < target.count, target[end] == ASCII.slash else {
      throw .malformed("The address has no path. Write a slash after the server's name.")
    }
    head.authority = ByteSpan(offset + scheme, end - scheme)
    head.target = ByteSpan(offset + end, target.count - end)
  }
}
