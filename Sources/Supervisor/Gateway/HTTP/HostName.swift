// SPDX-License-Identifier: Apache-2.0

/// Whom a Host header means.
package enum HostRoute: Sendable, Equatable {
  /// The server's own name, without a label before it.
  case host
  /// `<name>.<suffix>`, in lower case.
  case app(String)
  /// A name or address that is neither.
  case unknown
  /// Not a name, an address or either with a port.
  case malformed
}

/// Reads Host headers (RFC 9110 §7.2) against the suffix that all apps' names share.
package struct HostName: Sendable {
  /// Longest label (RFC 1035 §2.3.4).
  package static let labelBytesMax = 63
  package let suffix: [UInt8]

  package init(suffix: String) { self.suffix = Array(suffix.lowercased().utf8) }

  package func route(_ value: UnsafeRawBufferPointer) -> HostRoute {
    guard let name = Self.withoutPort(value) else { return .malformed }
    var end = name.count
    // A dot at the end makes a name absolute; it is the same name.
    if end > 1, name[end - 1] == ASCII.dot { end -= 1 }
    guard end >= suffix.count else { return .unknown }
    let labelEnd = end - suffix.count
    for index in suffix.indices where ASCII.lowered(name[labelEnd + index]) != suffix[index] {
      return .unknown
    }
    if labelEnd == 0 { return .host }
    guard name[labelEnd - 1] == ASCII.dot else { return .unknown }
    let label = UnsafeRawBufferPointer(rebasing: name[..<(labelEnd - 1)])
    guard (1...Self.labelBytesMax).contains(label.count), !label.contains(ASCII.dot) else {
      return .unknown
    }
    return .app(
      String(unsafeUninitializedCapacity: label.count) { text in
        for index in 0..<label.count { text[index] = ASCII.lowered(label[index]) }
        return label.count
      })
  }

  /// Whether two spellings name one server and port, `http`'s own port being 80.
  package static func same(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool
  {
    let left = withoutDefaultPort(left)
    let right = withoutDefaultPort(right)
    guard left.count == right.count else { return false }
    for index in 0..<left.count where ASCII.lowered(left[index]) != ASCII.lowered(right[index]) {
      return false
    }
    return true
  }

  private static func withoutDefaultPort(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard text.count > 3, text.suffix(3).elementsEqual(":80".utf8) else { return text }
    return UnsafeRawBufferPointer(rebasing: text.dropLast(3))
  }

  /// The name or bracketed address, after a check of every character; nil if it is malformed.
  private static func withoutPort(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard !value.isEmpty, value.count <= 262 else { return nil }
    var end = value.count
    if value[0] == UInt8(ascii: "[") {
      guard let close = value.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      let inner = value[1..<close]
      guard !inner.isEmpty,
        inner.allSatisfy({
          ASCII.hexValue($0) != nil || $0 == ASCII.colon || $0 == ASCII.dot
        })
      else { return nil }
      end = close + 1
    } else {
      end = value.firstIndex(of: ASCII.colon) ?? value.count
      guard end > 0, value[..<end].allSatisfy(isNameByte) else { return nil }
    }
    if end < value.count {
      guard value[end] == ASCII.colon, value.count - end - 1 <= 5,
        value[(end + 1)...].allSatisfy(ASCII.isDigit)
      else { return nil }
    }
    return UnsafeRawBufferPointer(rebasing: value[..<end])
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    let lowered = ASCII.lowered(byte)
    return lowered &- 0x61 < 26 || ASCII.isDigit(byte) || byte == UInt8(ascii: "-")
      || byte == ASCII.dot || byte == UInt8(ascii: "_")
  }
}
