// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Takes one request's body out of what arrives: so many bytes, or chunks (RFC 9112 §7.1). Chunks are read as strictly
/// as heads; extensions are bounded and dropped, and so are trailers.
package struct BodyDecoder: Sendable {
  /// Longest line that begins a chunk, in bytes, with its extensions.
  package static let chunkLineMax = 256
  /// All trailers together, in bytes.
  package static let trailersMax = 8192

  private enum State: Equatable {
    case done
    case length(Int)
    case chunkLine
    case chunk(Int)
    case chunkEnd
    case trailers(read: Int)
  }

  private var state: State
  /// Bytes taken from the connection so far, framing included.
  package private(set) var wireBytes = 0

  package init(_ head: RequestHead) {
    state =
      head.isChunked
      ? .chunkLine : (head.contentLength ?? 0) > 0 ? .length(head.contentLength!) : .done
  }

  package var isDone: Bool { state == .done }

  /// What is still to come, where that was said.
  package var remaining: Int? {
    switch state {
    case .done: 0
    case .length(let count): count
    default: nil
    }
  }

  /// Takes up to `max` bytes of the body. May take framing and give none.
  package mutating func read(from inbox: inout ByteBuffer, max: Int) throws(Refusal) -> ByteBuffer?
  {
    let before = inbox.readableBytes
    defer { wireBytes += before - inbox.readableBytes }
    guard case .length(let left) = state else { return try readChunks(from: &inbox, max: max) }
    let count = min(left, max, inbox.readableBytes)
    guard count > 0 else { return nil }
    state = count == left ? .done : .length(left - count)
    return inbox.readSlice(length: count)
  }

  private mutating func readChunks(
    from inbox: inout ByteBuffer, max: Int
  ) throws(Refusal) -> ByteBuffer? {
    var taken: ByteBuffer?
    var room = max
    while state != .done {
      guard case .chunk(let left) = state else {
        guard try readFraming(from: &inbox) else { break }
        continue
      }
      let count = min(left, room, inbox.readableBytes)
      guard count > 0, var piece = inbox.readSlice(length: count) else { break }
      state = count == left ? .chunkEnd : .chunk(left - count)
      room -= count
      if taken == nil { taken = piece } else { taken!.writeBuffer(&piece) }
    }
    return taken
  }

  /// One line of framing; false if it has not arrived whole.
  private mutating func readFraming(from inbox: inout ByteBuffer) throws(Refusal) -> Bool {
    switch state {
    case .chunkEnd:
      guard inbox.readableBytes >= 2 else { return false }
      guard inbox.readInteger(as: UInt16.self) == 0x0D0A else {
        throw .malformed("A chunk is longer than it said.")
      }
      state = .chunkLine
    case .chunkLine:
      guard let line = try Self.line(&inbox, max: Self.chunkLineMax) else { return false }
      let size = try Self.chunkSize(line)
      state = size == 0 ? .trailers(read: 0) : .chunk(size)
    case .trailers(let read):
      guard let line = try Self.line(&inbox, max: Self.trailersMax - read) else { return false }
      if line.readableBytes == 0 {
        state = .done
      } else {
        try Self.checkTrailer(line)
        state = .trailers(read: read + line.readableBytes + 2)
      }
    case .done, .length, .chunk: return false
    }
    return true
  }

  /// The next line without its CR LF; nil if it has not arrived whole.
  private static func line(_ inbox: inout ByteBuffer, max: Int) throws(Refusal) -> ByteBuffer? {
    let view = inbox.readableBytesView
    guard let end = view.prefix(max + 2).firstIndex(of: ASCII.lineFeed) else {
      guard view.count < max + 2 else { throw .malformed("A line within the body is too long.") }
      return nil
    }
    let count = end - view.startIndex
    guard count > 0, view[end - 1] == ASCII.carriageReturn else {
      throw .malformed("A line within the body does not end in CR LF.")
    }
    let line = inbox.readSlice(length: count - 1)
    inbox.moveReaderIndex(forwardBy: 2)
    return line
  }

  private static func chunkSize(_ line: ByteBuffer) throws(Refusal) -> Int {
    var size = 0
    var digits = 0
    let view = line.readableBytesView
    for byte in view {
      guard let value = ASCII.hexValue(byte) else { break }
      digits += 1
      guard digits <= 12 else { throw .malformed("A chunk is too large.") }
      size = size << 4 | Int(value)
    }
    guard digits > 0 else { throw .malformed("A chunk does not begin with its size.") }
    let rest = view.dropFirst(digits)
    guard rest.isEmpty || rest.first == UInt8(ascii: ";"),
      rest.allSatisfy({ $0 >= ASCII.space && $0 != 0x7f || $0 == ASCII.tab })
    else { throw .malformed("The size of a chunk is followed by something else.") }
    return size
  }

  private static func checkTrailer(_ line: ByteBuffer) throws(Refusal) {
    let isField = line.withUnsafeReadableBytes { bytes in
      guard let colon = bytes.firstIndex(of: ASCII.colon) else { return false }
      return ASCII.isToken(UnsafeRawBufferPointer(rebasing: bytes[..<colon]))
        && ASCII.isFieldValue(UnsafeRawBufferPointer(rebasing: bytes[(colon + 1)...]))
    }
    guard isField else { throw .malformed("A trailer is not a header.") }
  }
}
