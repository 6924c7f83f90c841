// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A secret without its value.
public struct SecretInfo: Codable, Sendable, Equatable {
  public var name: String
  /// Nil if it is declared and not set.
  public var version: Int?
  public var updatedAt: Date?
  public var description: String
  /// The app does not start without it.
  public var required: Bool

  public init(
    name: String, version: Int?, updatedAt: Date?, description: String = "", required: Bool = false
  ) {
    self.name = name
    self.version = version
    self.updatedAt = updatedAt
    self.description = description
    self.required = required
  }
}

/// A secret's value: to set one, or as the answer to an audited reveal.
public struct SecretValue: Codable, Sendable, Equatable {
  /// The bytes, in base64: a secret need not be text.
  public var base64: String
  public init(base64: String) { self.base64 = base64 }
}

/// A signing key's public half.
public struct KeyInfo: Codable, Sendable, Equatable {
  public var name: String
  public var algorithm: String
  /// Raw bytes in base64.
  public var publicKeyBase64: String
  /// SubjectPublicKeyInfo, RFC 8410.
  public var publicKeyPEM: String
  public var version: Int
  public var createdAt: Date?

  public init(
    name: String, algorithm: String, publicKeyBase64: String, publicKeyPEM: String, version: Int,
    createdAt: Date?
  ) {
    self.name = name
    self.algorithm = algorithm
    self.publicKeyBase64 = publicKeyBase64
    self.publicKeyPEM = publicKeyPEM
    self.version = version
    self.createdAt = createdAt
  }
}
