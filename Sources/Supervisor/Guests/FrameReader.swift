// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// Cuts the bytes of a socket into frames. Large bodies are slices of what was read; small ones are copied out, because
/// a slice keeps all that was read with it alive and a guest decides how long a body is kept.
package struct FrameReader {
  package struct WireFrame {
    package var json: JSONValue
    package var body: ByteBuffer
  }

  /// A body below this part of the buffer it lies in is copied.
  private static let slicedPart = 8

  private let limits: FrameLimits
  private var pending: ByteBuffer?

  package init(limits: FrameLimits) { self.limits = limits }

  /// Whether a frame has begun and not ended.
  package var isMidFrame: Bool { (pending?.readableBytes ?? 0) > 0 }

  package mutating func append(_ bytes: ByteBuffer) {
    guard var joined = pending, joined.readableBytes > 0 else {
      pending = bytes
      return
    }
    var bytes = bytes
    pending = nil
    if joined.readerIndex > 1 << 16 { joined.discardReadBytes() }
    joined.writeBuffer(&bytes)
    pending = joined
  }

  /// The next whole frame, or nil until more bytes come.
  package mutating func next() throws(ProtocolViolation) -> WireFrame? {
    guard var buffer = pending else { return nil }
    guard
      let (total, jsonLength) = buffer.getMultipleIntegers(
        at: buffer.readerIndex, as: (UInt32, UInt32).self)
    else { return nil }
    let header = try FrameHeader(total: total, jsonLength: jsonLength, limits: limits)
    guard buffer.readableBytes >= FrameHeader.length + header.restLength else { return nil }
    // Let go of the stored reference first, or moving the index would copy the buffer.
    pending = nil
    buffer.moveReaderIndex(forwardBy: FrameHeader.length)
    let outcome = buffer.withUnsafeReadableBytes { bytes -> Result<JSONValue, JSONError> in
      do throws(JSONError) {
        return .success(
          try JSONParser.parse(
            UnsafeRawBufferPointer(rebasing: bytes[..<header.jsonLength]), limits: limits.json))
      } catch {
        return .failure(error)
      }
    }
    buffer.moveReaderIndex(forwardBy: header.jsonLength)
    guard let slice = buffer.readSlice(length: header.bodyLength) else { return nil }
    let isSmall = header.bodyLength < slice.storageCapacity / Self.slicedPart
    let body =
      header.bodyLength == 0
      ? ByteBuffer() : isSmall ? ByteBuffer(bytes: slice.readableBytesView) : slice
    if buffer.readableBytes > 0 { pending = buffer }
    switch outcome {
    case .success(let json): return WireFrame(json: json, body: body)
    case .failure(let error): throw ProtocolViolation(.jsonInvalid, error.description)
    }
  }
}
