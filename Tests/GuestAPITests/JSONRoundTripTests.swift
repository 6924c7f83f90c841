// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import Testing

@Suite("JSON: writing and reading back")
struct JSONRoundTripTests {
  @Test("2,000 random values come back as they were", arguments: [1, 2, 3, 4] as [UInt64])
  func random(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for round in 0..<500 {
      let value = JSONValue.random(depth: 5, using: &random)
      let bytes = value.encoded
      let back = try JSONParser.parse(bytes)
      #expect(back == value, "seed \(seed), round \(round): \(value.text)")
      #expect(back.encoded == bytes, "seed \(seed), round \(round): \(value.text)")
    }
  }

  @Test("another implementation reads the same", arguments: [5, 6] as [UInt64])
  func foundationAgrees(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for round in 0..<200 {
      let value = JSONValue.random(depth: 4, using: &random)
      let other = try JSONSerialization.jsonObject(
        with: Data(value.encoded), options: .fragmentsAllowed)
      #expect(value.isRead(as: other), "seed \(seed), round \(round): \(value.text)")
    }
  }

  @Test("every scalar of Unicode survives in a string")
  func scalars() throws {
    var text = ""
    for code in UInt32(0)...0x10ffff {
      if let scalar = Unicode.Scalar(code) { text.unicodeScalars.append(scalar) }
    }
    let back = try JSONParser.parse(JSONValue.string(text).encoded, limits: .init())
    #expect(back.string?.hasSameBytes(as: text) == true)
  }

  @Test("integers at every power of two and ten keep their digits")
  func integers() throws {
    var values: [Int64] = [0, .max, .min, .max - 1, .min + 1]
    for shift in 0..<63 {
      values += [1 << Int64(shift), (1 << Int64(shift)) - 1, -(1 << Int64(shift))]
    }
    var ten: Int64 = 1
    for _ in 0..<18 {
      ten *= 10
      values += [ten, ten - 1, ten + 1, -ten]
    }
    for value in values {
      #expect(JSONValue.int(value).text == String(value))
      #expect(try JSONParser.parse(String(value)) == .int(value))
    }
  }

  @Test("doubles of any bits are read back bit for bit, and never as integers")
  func doubles() throws {
    var random = SeededRandom(seed: 7)
    var bits: [UInt64] = [0, 1 << 63, 1, 0x7fef_ffff_ffff_ffff, 0x0010_0000_0000_0000]
    bits += [1.0, -1.0, 1e15, 1e16, 1e17, 9_007_199_254_740_992, 1e-5, 123_456_789.0].map(
      \.bitPattern)
    bits += (0..<5_000).map { _ in random.next() }
    for pattern in bits {
      let value = Double(bitPattern: pattern)
      guard value.isFinite else { continue }
      guard case .double(let back) = try JSONParser.parse(JSONValue.double(value).encoded) else {
        Issue.record("\(value) is read back as something else")
        continue
      }
      #expect(back.bitPattern == pattern)
    }
  }

  @Test("control characters and quotes are escaped, all else is left alone")
  func escapes() {
    #expect(
      JSONValue.string("\u{0}\u{1f}\"\\/\n\r\t\u{8}\u{7f}é😀").text
        == "\"\\u0000\\u001f\\\"\\\\/\\n\\r\\t\\u0008\u{7f}é😀\"")
  }

  @Test("setting, replacing and removing a member keep the order of the others")
  func members() {
    var object = JSONObject([("b", 1), ("a", 2), ("c", 3)])
    object["a"] = 4
    object["b"] = nil
    object["d"] = 5
    object["nothing"] = nil
    #expect(JSONValue.object(object).text == "{\"a\":4,\"c\":3,\"d\":5}")
    #expect(object == JSONObject([("d", 5), ("c", 3), ("a", 4)]), "equality knows no order")
    #expect(object != JSONObject([("d", 5), ("c", 3), ("e", 4)]))
  }
}

extension JSONValue {
  static func random(depth: Int, using random: inout SeededRandom) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
    case 0: return .null
    case 1: return .bool(.random(using: &random))
    case 2:
      return .int(Int64(bitPattern: random.next()) >> Int64.random(in: 0..<64, using: &random))
    case 3:
      let value = Double(bitPattern: random.next())
      return .double(value.isFinite ? value : 0.5)
    case 4, 5: return .string(.random(using: &random))
    case 6:
      return .array(
        (0..<Int.random(in: 0..<6, using: &random)).map { _ in
          .random(depth: depth - 1, using: &random)
        })
    default:
      var object = JSONObject()
      for _ in 0..<Int.random(in: 0..<14, using: &random) {
        object[.random(using: &random)] = .random(depth: depth - 1, using: &random)
      }
      return .object(object)
    }
  }

  /// Whether Foundation's reading of the text is this value.
  func isRead(as other: Any) -> Bool {
    switch self {
    case .null: other is NSNull
    case .bool(let value): (other as? NSNumber)?.boolValue == value
    case .int(let value): (other as? NSNumber)?.int64Value == value
    // Foundation goes through a decimal of its own, which is off in the last places.
    case .double(let value):
      (other as? NSNumber).map { abs($0.doubleValue - value) <= 1e-12 * abs(value) } ?? false
    case .string(let value): (other as? String)?.hasSameBytes(as: value) == true
    case .array(let elements):
      (other as? [Any]).map { other in
        other.count == elements.count && zip(elements, other).allSatisfy { $0.isRead(as: $1) }
      } ?? false
    case .object(let object):
      (other as? [String: Any]).map { other in
        other.count == Set(object.keys).count
          && object.members.allSatisfy { $0.value.isRead(as: other[$0.key] ?? ()) }
      } ?? false
    }
  }
}

extension String {
  static func random(using random: inout SeededRandom) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0..<12, using: &random) {
      let range: ClosedRange<UInt32> =
        switch Int.random(in: 0..<4, using: &random) {
        case 0: 0x00...0x1f
        case 1: 0x20...0x7e
        case 2: 0x80...0x3ff
        default: 0x400...0x10ffff
        }
      if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
