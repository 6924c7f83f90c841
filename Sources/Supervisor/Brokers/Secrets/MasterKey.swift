// SPDX-License-Identifier: Apache-2.0
import Crypto

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The key all others of the host are derived from: 32 random bytes. Says nothing of itself but its id.
package struct MasterKey: Sendable, CustomStringConvertible, CustomReflectable {
  package static let byteCount = 32

  /// Tells keys apart without giving them away: 16 hexadecimal digits derived from the key.
  package let id: String
  private let key: SymmetricKey

  /// Nil unless there are exactly 32 bytes, not all of them equal.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount, Set(bytes).count > 1 else { return nil }
    key = SymmetricKey(data: bytes)
    let derived = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: key, info: Array("bulkhead master key id".utf8), outputByteCount: 8)
    id = derived.withUnsafeBytes { $0.map { Hexadecimal.byte($0) }.joined() }
  }

  /// A key for one app and one purpose (RFC 5869).
  func derived(app: String, purpose: String) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: key, salt: Array("bulkhead 1".utf8),
      info: Array("\(purpose)\0\(app)".utf8), outputByteCount: 32)
  }

  /// For the file it is kept in, and nothing else.
  var exposedBytes: [UInt8] { key.withUnsafeBytes { Array($0) } }

  package var description: String { "master key \(id)" }
  package var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}

/// The master key in use, and those before it that something may still be sealed with.
package struct MasterKeyRing: Sendable {
  package var current: MasterKey
  package private(set) var older: [MasterKey]

  package init(current: MasterKey, older: [MasterKey] = []) {
    self.current = current
    self.older = older.filter { $0.id != current.id }
  }

  package func key(_ id: String) -> MasterKey? {
    current.id == id ? current : older.first { $0.id == id }
  }

  /// With a new current key; the one before is kept among the older.
  package func rotated(to key: MasterKey) -> MasterKeyRing {
    MasterKeyRing(current: key, older: [current] + older)
  }

  /// Without the older keys: only once nothing is sealed with them any more.
  package func settled() -> MasterKeyRing { MasterKeyRing(current: current) }
}

enum Hexadecimal {
  static func byte(_ value: UInt8) -> String {
    let digits = String(value, radix: 16)
    return value < 16 ? "0\(digits)" : digits
  }
}
