// SPDX-License-Identifier: Apache-2.0
import Glibc
import NIOCore

/// An IPv4 or IPv6 address. IPv4 is kept as its IPv4-mapped form, so that `::ffff:10.0.0.1` and `10.0.0.1` are equal.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  package var high: UInt64
  package var low: UInt64

  private static let mappedPrefix: UInt64 = 0xFFFF_0000_0000

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// From text such as `192.0.2.1` or `2001:db8::1`; nil for anything else, a scope or a port included.
  package init?(_ text: some StringProtocol) {
    let text = String(text)
    var bytes = (UInt64(0), UInt64(0))
    let isIPv4 = inet_pton(AF_INET, text, &bytes) == 1
    guard isIPv4 || inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
    self = withUnsafeBytes(of: &bytes) { isIPv4 ? Self(ipv4: $0) : Self(ipv6: $0) }
  }

  package init?(_ address: SocketAddress?) {
    // Offsets of sin_addr and sin6_addr (ip(7), ipv6(7)).
    switch address {
    case .v4(let v4):
      self = withUnsafeBytes(of: v4.address) {
        Self(ipv4: UnsafeRawBufferPointer(rebasing: $0[4...]))
      }
    case .v6(let v6):
      self = withUnsafeBytes(of: v6.address) {
        Self(ipv6: UnsafeRawBufferPointer(rebasing: $0[8...]))
      }
    default: return nil
    }
  }

  private init(ipv4 bytes: UnsafeRawBufferPointer) {
    let number = UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))
    self.init(high: 0, low: Self.mappedPrefix | UInt64(number))
  }

  private init(ipv6 bytes: UnsafeRawBufferPointer) {
    self.init(
      high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

  /// What one subscriber usually holds: an IPv4 address, or the /64 of an IPv6 address.
  package var subscriber: IPAddress { isIPv4 ? self : IPAddress(high: high, low: 0) }

  package var description: String {
    if isIPv4 {
      let number = UInt32(truncatingIfNeeded: low)
      return "\(number >> 24).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
    }
    var bytes = (high.bigEndian, low.bigEndian)
    // INET6_ADDRSTRLEN
    var text = [CChar](repeating: 0, count: 46)
    inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count))
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Addresses with a common beginning: `10.0.0.0/8`, `2001:db8::/32`, or one address.
package struct AddressRange: Sendable, Hashable {
  package let base: IPAddress
  /// Leading bits of the 128 that count.
  package let bits: Int

  /// Nil unless the text is an address, or an address, a slash and a prefix length that fits it.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let base = IPAddress(parts[0]) else { return nil }
    let width = base.isIPv4 && !parts[0].contains(":") ? 32 : 128
    var bits = 128
    if parts.count == 2 {
      guard let prefix = Int(parts[1]), (0...width).contains(prefix) else { return nil }
      bits = 128 - width + prefix
    }
    self.bits = bits
    self.base = IPAddress(
      high: base.high & Self.mask(bits), low: base.low & Self.mask(bits - 64))
  }

  package func contains(_ address: IPAddress) -> Bool {
    address.high & Self.mask(bits) == base.high && address.low & Self.mask(bits - 64) == base.low
  }

  private static func mask(_ bits: Int) -> UInt64 {
    bits <= 0 ? 0 : bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits))
  }
}
