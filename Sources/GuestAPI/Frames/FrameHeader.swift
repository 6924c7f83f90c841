// SPDX-License-Identifier: Apache-2.0

/// The eight bytes before a frame's JSON, checked before anything behind them is read.
public struct FrameHeader: Sendable, Equatable {
  /// Bytes of the JSON part.
  public var jsonLength: Int
  /// Bytes of the body.
  public var bodyLength: Int

  public static let length = 8
  /// The shortest JSON object is `{}`.
  static let jsonLengthMin = 2

  /// All that follows the header.
  public var restLength: Int { jsonLength + bodyLength }

  public init(jsonLength: Int, bodyLength: Int) {
    self.jsonLength = jsonLength
    self.bodyLength = bodyLength
  }

  /// Reads and checks both lengths.
  public init(
    total: UInt32, jsonLength: UInt32, limits: FrameLimits
  ) throws(ProtocolViolation) {
    let total = Int(total)
    let json = Int(jsonLength)
    guard total >= 4 + Self.jsonLengthMin, total <= limits.frameBytes else {
      throw ProtocolViolation(
        .frameLength, "a frame of \(total) bytes; 6 to \(limits.frameBytes) are allowed")
    }
    guard json >= Self.jsonLengthMin, json <= limits.jsonBytes, json <= total - 4 else {
      throw ProtocolViolation(
        .frameJSONLength,
        "a JSON part of \(json) bytes in a frame of \(total); 2 to \(limits.jsonBytes) are allowed")
    }
    self.init(jsonLength: json, bodyLength: total - 4 - json)
  }

  /// The header as it stands on the wire.
  public var bytes: [UInt8] {
    let total = UInt32(4 + jsonLength + bodyLength)
    let json = UInt32(jsonLength)
    return [total, json].flatMap { value in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }
  }
}
