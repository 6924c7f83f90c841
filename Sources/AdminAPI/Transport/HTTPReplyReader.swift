// SPDX-License-Identifier: Apache-2.0

/// Reads one HTTP/1.1 response from pieces of bytes: a state machine without I/O.
///
/// Knows what the admin socket sends: a status line, headers, and a body by `Content-Length`, in chunks, or up to the
/// end of the connection.
package struct HTTPReplyReader {
  package struct Head: Equatable {
    package var status: Int
    package var contentType: String
  }

  package enum Flaw: Error, Equatable {
    case malformed(String)
    case headTooLong
  }

  /// LIMIT: bytes of a status line with its headers.
  package static let headBytesMax = 64 * 1024

  private enum State: Equatable {
    case head
    case fixed(left: Int)
    case chunkSize
    case chunk(left: Int)
    case chunkEnd
    case trailers
    case untilClose
    case done
  }

  private var state = State.head
  private var pending: [UInt8] = []
  package private(set) var head: Head?

  package init() {}

  package var isDone: Bool { state == .done }

  /// Takes what came from the socket; returns the bytes of the body in it.
  package mutating func receive(_ bytes: some Sequence<UInt8>) throws(Flaw) -> [UInt8] {
    pending.append(contentsOf: bytes)
    var body: [UInt8] = []
    while try step(&body) {}
    return body
  }

  /// The connection ended: right only where the body has no other end.
  package mutating func receiveEnd() throws(Flaw) {
    switch state {
    case .done: return
    case .untilClose: state = .done
    default: throw .malformed("the connection ended in the middle of an answer")
    }
  }

  private mutating func step(_ body: inout [UInt8]) throws(Flaw) -> Bool {
    switch state {
    case .head:
      guard let line = try headBlock() else { return false }
      try readHead(line)
    case .fixed(let left):
      guard let rest = move(left, to: &body) else { return false }
      state = rest == 0 ? .done : .fixed(left: rest)
    case .chunkSize:
      guard let line = try line() else { return false }
      let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
      guard digits.count <= 8, let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
        size >= 0
      else { throw .malformed("a chunk without a size") }
      state = size == 0 ? .trailers : .chunk(left: size)
    case .chunk(let left):
      guard let rest = move(left, to: &body) else { return false }
      state = rest == 0 ? .chunkEnd : .chunk(left: rest)
    case .chunkEnd:
      guard let line = try line() else { return false }
      guard line.isEmpty else { throw .malformed("a chunk longer than its size") }
      state = .chunkSize
    case .trailers:
      guard let line = try line() else { return false }
      if line.isEmpty { state = .done }
    case .untilClose:
      guard !pending.isEmpty else { return false }
      body += pending
      pending = []
    case .done:
      return false
    }
    return state != .done
  }

  /// Moves up to `left` bytes; returns how many are still to come, nil if there were none to move.
  private mutating func move(_ left: Int, to body: inout [UInt8]) -> Int? {
    guard left > 0 else { return 0 }
    guard !pending.isEmpty else { return nil }
    let count = min(left, pending.count)
    body += pending.prefix(count)
    pending.removeFirst(count)
    return left - count
  }

  private mutating func line() throws(Flaw) -> [UInt8]? {
    guard let end = pending.firstIndex(of: 0x0a) else {
      guard pending.count <= Self.headBytesMax else { throw .headTooLong }
      return nil
    }
    var line = Array(pending[..<end])
    pending.removeFirst(end + 1)
    if line.last == 0x0d { line.removeLast() }
    return line
  }

  /// The status line and the headers, once they are all there.
  private mutating func headBlock() throws(Flaw) -> [String]? {
    let end: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a]
    guard
      let index = pending.indices.first(where: { pending[$0...].starts(with: end) })
    else {
      guard pending.count <= Self.headBytesMax else { throw .headTooLong }
      return nil
    }
    let text = String(decoding: pending[..<index], as: UTF8.self)
    pending.removeFirst(index + 4)
    return text.split(separator: "\r\n").map(String.init)
  }

  private mutating func readHead(_ lines: [String]) throws(Flaw) {
    let words = (lines.first ?? "").split(separator: " ", maxSplits: 2)
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
      throw .malformed("no HTTP status line")
    }
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else {
        throw .malformed("a header without a colon")
      }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      fields[line[..<colon].lowercased()] = String(value)
    }
    guard status >= 200 else { return }  // an interim answer: another head follows
    head = Head(status: status, contentType: fields["content-type"] ?? "")
    if status == 204 || status == 304 {
      state = .done
    } else if fields["transfer-encoding"]?.lowercased() == "chunked" {
      state = .chunkSize
    } else if let text = fields["content-length"] {
      guard let length = Int(text), length >= 0 else { throw .malformed("a length that is none") }
      state = length == 0 ? .done : .fixed(left: length)
    } else {
      state = .untilClose
    }
  }
}
