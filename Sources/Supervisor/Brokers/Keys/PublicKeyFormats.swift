// SPDX-License-Identifier: Apache-2.0
import Crypto
import GuestAPI

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// An Ed25519 public key in the forms others read.
package struct PublicKeyFormats: Sendable, Equatable {
  /// 32 bytes (RFC 8032 §5.1.2).
  package let raw: [UInt8]

  package init(raw: [UInt8]) { self.raw = raw }

  /// SubjectPublicKeyInfo with the algorithm 1.3.101.112 (RFC 8410 §4).
  package var spki: [UInt8] {
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00] + raw
  }

  /// The same in PEM (RFC 7468): 44 bytes are one line.
  package var pem: String {
    "-----BEGIN PUBLIC KEY-----\n\(Data(spki).base64EncodedString())\n-----END PUBLIC KEY-----\n"
  }

  package var base64: String { Data(raw).base64EncodedString() }

  /// JSON Web Key (RFC 8037 §2), named by its thumbprint (RFC 7638).
  package var jwk: JSONValue {
    ["kty": "OKP", "crv": "Ed25519", "x": .string(Self.base64url(raw)), "kid": .string(thumbprint)]
  }

  package var thumbprint: String {
    let canonical = "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"\(Self.base64url(raw))\"}"
    return Self.base64url(Array(SHA256.hash(data: Array(canonical.utf8))))
  }

  /// RFC 4648 §5, without padding.
  static func base64url(_ bytes: [UInt8]) -> String {
    String(
      Data(bytes).base64EncodedString().compactMap { character -> Character? in
        switch character {
        case "+": "-"
        case "/": "_"
        case "=": nil
        default: character
        }
      })
  }
}
