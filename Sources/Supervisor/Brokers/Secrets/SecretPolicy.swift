// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// What a secret may be called and hold. Pure.
package enum SecretPolicy {
  /// Bytes of one value.
  package static let valueBytesMax = 65_536
  package static let nameBytesMax = 128
  /// Secrets of one app.
  package static let secretsMax = 1_000
  /// Versions kept of one secret; the oldest goes when one more is set.
  package static let versionsMax = 10

  package static let nameRule =
    "1 to 128 of A-Z, a-z, 0-9, '.', '_', '-' and '/', beginning with a letter or digit"

  package static func isName(_ name: String) -> Bool {
    guard (1...nameBytesMax).contains(name.utf8.count), let first = name.utf8.first,
      isAlphanumeric(first)
    else { return false }
    return name.utf8.allSatisfy { isAlphanumeric($0) || "._-/".utf8.contains($0) }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  static func requireName(_ name: String) throws(HostError) {
    guard isName(name) else {
      throw HostError(.params, "", "\"name\" must be \(nameRule)")
    }
  }

  static func requireValue(_ value: [UInt8]) throws(HostError) {
    guard value.count <= valueBytesMax else {
      throw HostError(
        .params, "", "the value has \(value.count) bytes; \(valueBytesMax) are allowed")
    }
  }
}

/// How a value is made when there is none yet. Pure but for the bytes it is given.
package enum SecretGenerator: Sendable, Equatable {
  /// Random bytes.
  case bytes(Int)
  /// Random characters of base64url (RFC 4648 §5): 6 bits each.
  case token(Int)
  /// Random characters that people can read out and type: no 0, O, 1, l or I.
  case password(Int)

  /// Reads `{"kind":"token","length":32}`; a missing length is 32, or 20 for a password.
  package init(_ value: JSONValue) throws(HostError) {
    let kind = value["kind"]?.string ?? ""
    let length = value["length"]?.int ?? (kind == "password" ? 20 : 32)
    guard value["length"] == nil || value["length"]?.int != nil, (16...1_024).contains(length)
    else {
      throw HostError(.params, "", "\"generate.length\" must be from 16 to 1024")
    }
    switch kind {
    case "bytes": self = .bytes(Int(length))
    case "token": self = .token(Int(length))
    case "password": self = .password(Int(length))
    default:
      throw HostError(.params, "", "\"generate.kind\" must be bytes, token or password")
    }
  }

  static let tokenAlphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  static let passwordAlphabet = Array(
    "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789".utf8)

  package func generate(random: (Int) -> [UInt8]) -> [UInt8] {
    switch self {
    case .bytes(let count): random(count)
    case .token(let count): Self.characters(count, Self.tokenAlphabet, random)
    case .password(let count): Self.characters(count, Self.passwordAlphabet, random)
    }
  }

  /// Each character equally likely: bytes past the last whole multiple of the alphabet are thrown away.
  private static func characters(
    _ count: Int, _ alphabet: [UInt8], _ random: (Int) -> [UInt8]
  ) -> [UInt8] {
    let bound = 256 / alphabet.count * alphabet.count
    var out: [UInt8] = []
    while out.count < count {
      for byte in random(2 * (count - out.count)) where Int(byte) < bound && out.count < count {
        out.append(alphabet[Int(byte) % alphabet.count])
      }
    }
    return out
  }
}
