// SPDX-License-Identifier: Apache-2.0

/// The bounds of the protocol (docs/PROTOCOL.md), sent to the guest in `initialize`.
public struct FrameLimits: Sendable, Equatable {
  /// Largest `total` of a frame, in bytes.
  public var frameBytes = 1_048_576
  /// Largest JSON part, in bytes.
  public var jsonBytes = 262_144
  /// Requests in flight towards the guest.
  public var toGuest = 16
  /// Requests in flight towards the host.
  public var toHost = 64
  /// What a stream may send before its receiver grants more, in bytes.
  public var streamCredit = 262_144
  public var json = JSONParser.Limits()

  public init() {}

  /// A good size for one piece of a stream, in bytes.
  public static let pieceBytes = 65_536
  /// Largest request id or stream number: 2^53 − 1, the integers every JSON implementation has.
  public static let numberMax: Int64 = 9_007_199_254_740_991
  /// Longest request id given as a string, in bytes.
  public static let idBytesMax = 64
}
