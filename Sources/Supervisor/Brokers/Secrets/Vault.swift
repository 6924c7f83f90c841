// SPDX-License-Identifier: Apache-2.0
import Crypto
import GuestAPI

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Bytes sealed for one app, and the master key they were sealed under.
struct Sealed: Equatable {
  var keyID: String
  /// Nonce, ciphertext and tag, as AES.GCM combines them.
  var bytes: [UInt8]
}

/// Seals and opens what belongs to one app: AES-256-GCM under a key derived for the app and the purpose, with app,
/// name and version as associated data, so that what was sealed for one place opens in no other.
struct Vault: Sendable {
  let app: String
  /// `secret` or `signing-key`.
  let purpose: String
  let ring: KeyRing

  func seal(_ plain: [UInt8], name: String, version: Int64) throws(HostError) -> Sealed {
    let master = ring.now.current
    let box = try? AES.GCM.seal(
      plain, using: master.derived(app: app, purpose: purpose),
      authenticating: associated(name, version))
    guard let combined = box?.combined else {
      throw HostError(.internal, "sealing", "the host could not encrypt the value")
    }
    return Sealed(keyID: master.id, bytes: Array(combined))
  }

  func open(_ sealed: Sealed, name: String, version: Int64) throws(HostError) -> [UInt8] {
    guard let master = ring.now.key(sealed.keyID) else {
      throw HostError(
        .internal, "sealing", "the host has lost the key that opens this value",
        log:
          "app \(app), \(purpose) \(name): no master key \(sealed.keyID); give the host the key it had"
      )
    }
    guard let box = try? AES.GCM.SealedBox(combined: sealed.bytes),
      let plain = try? AES.GCM.open(
        box, using: master.derived(app: app, purpose: purpose),
        authenticating: associated(name, version))
    else {
      throw HostError(
        .internal, "sealing", "the stored value is damaged and was not used",
        log: "app \(app), \(purpose) \(name) version \(version) does not open under its key")
    }
    return Array(plain)
  }

  /// Each part with its length before it: no two places share their bytes.
  private func associated(_ name: String, _ version: Int64) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in ["bulkhead 1", purpose, app, name, String(version)] {
      withUnsafeBytes(of: UInt32(part.utf8.count).bigEndian) { bytes += $0 }
      bytes += part.utf8
    }
    return bytes
  }
}
