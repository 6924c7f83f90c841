// SPDX-License-Identifier: Apache-2.0

/// Turns bytes, however they are split, into frames. Holds at most one frame's bytes beyond what it was given.
public struct FrameDecoder {
  private let limits: FrameLimits
  private var buffer: [UInt8] = []
  private var start = 0

  public init(limits: FrameLimits = FrameLimits()) { self.limits = limits }

  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    if start > 0, start == buffer.count {
      buffer.removeAll(keepingCapacity: true)
      start = 0
    } else if start > 1 << 16 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  public mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

  /// Whether a frame has begun and not ended.
  public var isMidFrame: Bool { start < buffer.count }

  /// The next whole frame, or nil until more bytes come.
  public mutating func next() throws(ProtocolViolation) -> Frame? {
    guard let header = try nextHeader() else { return nil }
    let jsonStart = start + FrameHeader.length
    let bodyStart = jsonStart + header.jsonLength
    let end = bodyStart + header.bodyLength
    guard buffer.count >= end else { return nil }
    let outcome: Result<JSONValue, JSONError> = buffer.withUnsafeBytes { bytes in
      do throws(JSONError) {
        return .success(
          try JSONParser.parse(
            UnsafeRawBufferPointer(rebasing: bytes[jsonStart..<bodyStart]), limits: limits.json))
      } catch {
        return .failure(error)
      }
    }
    start = end
    switch outcome {
    case .success(let json): return Frame(json, body: Array(buffer[bodyStart..<end]))
    case .failure(let error): throw ProtocolViolation(.jsonInvalid, error.description)
    }
  }

  private func nextHeader() throws(ProtocolViolation) -> FrameHeader? {
    guard buffer.count - start >= FrameHeader.length else { return nil }
    func u32(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 << 8 | UInt32(buffer[start + offset + $1]) }
    }
    return try FrameHeader(total: u32(0), jsonLength: u32(4), limits: limits)
  }
}
