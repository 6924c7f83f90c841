// SPDX-License-Identifier: Apache-2.0
import Glibc

/// ASCII as HTTP sees it. Nothing here looks at a locale.
package enum ASCII {
  package static let tab = UInt8(ascii: "\t")
  package static let lineFeed = UInt8(ascii: "\n")
  package static let carriageReturn = UInt8(ascii: "\r")
  package static let space = UInt8(ascii: " ")
  package static let comma = UInt8(ascii: ",")
  package static let colon = UInt8(ascii: ":")
  package static let slash = UInt8(ascii: "/")
  package static let dot = UInt8(ascii: ".")
  package static let percent = UInt8(ascii: "%")
  package static let question = UInt8(ascii: "?")

  @inline(__always) package static func lowered(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  @inline(__always) package static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  @inline(__always) package static func hexValue(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte &- 0x30 }
    let letter = byte | 0x20
    return letter &- 0x61 < 6 ? letter &- 0x57 : nil
  }

  /// RFC 9110 §5.6.2 `tchar`, as a table: bit n of the pair says whether byte n may stand in a token.
  private static let tokenLow: UInt64 = bits(0..<64)
  private static let tokenHigh: UInt64 = bits(64..<128)

  private static func bits(_ range: Range<UInt8>) -> UInt64 {
    var set: UInt64 = 0
    for byte in range {
      let letter = byte | 0x20
      let isToken =
        isDigit(byte) || (letter &- 0x61 < 26 && byte >= 0x41)
        || "!#$%&'*+-.^_`|~".utf8.contains(byte)
      if isToken { set |= 1 << UInt64(byte & 63) }
    }
    return set
  }

  package static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let (low, high) = (tokenLow, tokenHigh)
    for byte in bytes {
      guard byte < 128 else { return false }
      guard ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 == 1 else { return false }
    }
    return !bytes.isEmpty
  }

  /// No control character but the tab; bytes above 0x7f pass.
  package static func isFieldValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for byte in bytes where (byte < 0x20 && byte != tab) || byte == 0x7f { return false }
    return true
  }

  package static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    bytes.count == text.utf8CodeUnitCount && begins(bytes, text)
  }

  package static func begins(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    guard bytes.count >= text.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
    return memcmp(base, text.utf8Start, text.utf8CodeUnitCount) == 0
  }

  package static func equalsIgnoringCase(_ bytes: UnsafeRawBufferPointer, _ lowercase: StaticString)
    -> Bool
  {
    guard bytes.count == lowercase.utf8CodeUnitCount else { return false }
    for index in 0..<bytes.count where lowered(bytes[index]) != lowercase.utf8Start[index] {
      return false
    }
    return true
  }

  package static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var (low, high) = (0, bytes.count)
    while low < high, bytes[low] == space || bytes[low] == tab { low += 1 }
    while high > low, bytes[high - 1] == space || bytes[high - 1] == tab { high -= 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[low..<high])
  }

  /// The elements of a comma-separated list (RFC 9110 §5.6.1), empty ones left out. Quotes are not looked at: use it
  /// only for lists whose elements have none.
  package static func forEachElement(
    _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
  ) {
    var start = 0
    for index in 0...bytes.count where index == bytes.count || bytes[index] == comma {
      let element = trimmed(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
      if !element.isEmpty { body(element) }
      start = index + 1
    }
  }

  /// A decimal of at most 18 digits and nothing else.
  package static func decimal(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard (1...18).contains(bytes.count) else { return nil }
    var value = 0
    for byte in bytes {
      guard isDigit(byte) else { return nil }
      value = value &* 10 &+ Int(byte &- 0x30)
    }
    return value
  }
}
