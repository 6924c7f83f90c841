// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// One value of SQL, nothing converted.
public enum SQLValue: Sendable, Equatable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .text(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .real(value) }
  public init(nilLiteral: ()) { self = .null }
}

extension SQLValue {
  /// The wire form (docs/PROTOCOL.md); blobs go behind the others in the frame's body.
  package func json(_ blobs: inout [UInt8]) -> JSONValue {
    switch self {
    case .null: return .null
    case .integer(let value): return .int(value)
    case .real(let value) where value.isFinite: return .double(value)
    case .real(let value) where value.isNaN: return .null
    case .real(let value): return ["real": .string(value < 0 ? "-inf" : "inf")]
    case .text(let value) where value.utf8.count <= Self.inlineBytesMax: return .string(value)
    case .text(let value): return ["text": Self.append(Array(value.utf8), to: &blobs)]
    case .blob(let bytes): return ["blob": Self.append(bytes, to: &blobs)]
    }
  }

  /// Longer text travels in the body: the JSON of a message is bounded more tightly.
  private static let inlineBytesMax = 16_384

  private static func append(_ bytes: [UInt8], to blobs: inout [UInt8]) -> JSONValue {
    defer { blobs += bytes }
    return [.int(Int64(blobs.count)), .int(Int64(bytes.count))]
  }

  package init(json: JSONValue, body: [UInt8]) throws(GuestError) {
    switch json {
    case .null: self = .null
    case .int(let value): self = .integer(value)
    case .double(let value): self = .real(value)
    case .string(let value): self = .text(value)
    case .object(let object):
      if let real = object["real"]?.string {
        self = .real(real == "-inf" ? -.infinity : .infinity)
      } else if let bytes = Self.slice(body, object["blob"]) {
        self = .blob(bytes)
      } else if let bytes = Self.slice(body, object["text"]) {
        self = .text(String(decoding: bytes, as: UTF8.self))
      } else {
        throw .unexpectedAnswer("a value of unknown form")
      }
    default: throw .unexpectedAnswer("\(json.typeName) where a value was expected")
    }
  }

  /// The bytes that `[offset, length]` names; nil if it names none.
  private static func slice(_ body: [UInt8], _ place: JSONValue?) -> [UInt8]? {
    guard let place = place?.array?.compactMap(\.int), place.count == 2, place[0] >= 0,
      place[1] >= 0, place[0] <= Int64(body.count), place[1] <= Int64(body.count) - place[0]
    else { return nil }
    return Array(body[Int(place[0])..<Int(place[0] + place[1])])
  }
}
