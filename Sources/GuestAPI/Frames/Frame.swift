// SPDX-License-Identifier: Apache-2.0

/// One frame: a JSON object and the raw bytes behind it.
public struct Frame: Sendable, Equatable {
  public var json: JSONValue
  public var body: [UInt8]

  public init(_ json: JSONValue, body: [UInt8] = []) {
    self.json = json
    self.body = body
  }

  /// The whole frame as it stands on the wire.
  public var encoded: [UInt8] {
    Self.encode(json: json.encoded, body: body)
  }

  public static func encode(json: [UInt8], body: [UInt8] = []) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(FrameHeader.length + json.count + body.count)
    out += FrameHeader(jsonLength: json.count, bodyLength: body.count).bytes
    out += json
    out += body
    return out
  }
}
