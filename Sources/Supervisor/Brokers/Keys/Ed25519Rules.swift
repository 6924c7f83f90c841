// SPDX-License-Identifier: Apache-2.0

/// Which Ed25519 public keys and signatures are taken at all, decided on their bytes before any curve is computed.
///
/// RFC 8032 §5.1.7 asks for S below the group order; the rest goes further, so that one message, key and signature
/// are valid everywhere or nowhere: encodings of y not below p are refused, and points of small order, under which
/// signatures hold for messages nobody signed (Chalkias et al., "Taming the many EdDSAs", 2020).
package enum Ed25519Rules {
  package static let publicKeyBytes = 32
  package static let signatureBytes = 64

  package static func isAcceptable(publicKey: some Collection<UInt8>) -> Bool {
    publicKey.count == publicKeyBytes && isAcceptablePoint(Array(publicKey))
  }

  /// R a sound point, S below the order.
  package static func isAcceptable(signature: some Collection<UInt8>) -> Bool {
    guard signature.count == signatureBytes else { return false }
    let bytes = Array(signature)
    return isAcceptablePoint(Array(bytes[..<32])) && isBelow(Array(bytes[32...]), order)
  }

  private static func isAcceptablePoint(_ encoding: [UInt8]) -> Bool {
    var y = encoding
    // The last bit is the sign of x. Whatever it says, these y are of small order or not y at all.
    y[31] &= 0x7f
    return isBelow(y, prime) && !smallOrder.contains(y)
  }

  /// Little-endian numbers of 32 bytes.
  private static func isBelow(_ number: [UInt8], _ bound: [UInt8]) -> Bool {
    for index in stride(from: 31, through: 0, by: -1) where number[index] != bound[index] {
      return number[index] < bound[index]
    }
    return false
  }

  /// p = 2^255 − 19.
  private static let prime: [UInt8] = [0xed] + Array(repeating: 0xff, count: 30) + [0x7f]
  /// L = 2^252 + 27742317777372353535851937790883648493.
  private static let order: [UInt8] =
    [
      0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
      0x14,
    ] + Array(repeating: 0, count: 15) + [0x10]

  /// The y of the eight points whose order divides 8: 1 (order 1), −1 (2), 0 (4), and two of order 8.
  private static let smallOrder: Set<[UInt8]> = [
    [1] + Array(repeating: 0, count: 31),
    [0xec] + Array(repeating: 0xff, count: 30) + [0x7f],
    Array(repeating: 0, count: 32),
    [
      0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
      0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
      0xfc, 0x05,
    ],
    [
      0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
      0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
      0x03, 0x7a,
    ],
  ]
}
