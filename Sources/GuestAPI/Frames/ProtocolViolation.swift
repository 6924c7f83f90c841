// SPDX-License-Identifier: Apache-2.0

/// What a guest did that ends it. The word is stable (docs/PROTOCOL.md); the detail is for people.
public struct ProtocolViolation: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Reason: String, Sendable, CaseIterable {
    case frameLength = "frame.length"
    case frameJSONLength = "frame.json_length"
    case frameTimeout = "frame.timeout"
    case jsonInvalid = "json.invalid"
    case messageInvalid = "message.invalid"
    case responseUnknownID = "response.unknown_id"
    case requestDuplicateID = "request.duplicate_id"
    case handshakeOrder = "handshake.order"
    case handshakeTimeout = "handshake.timeout"
    case handshakeProtocol = "handshake.protocol"
    case streamUnknown = "stream.unknown"
    case streamCredit = "stream.credit"
    case readerStalled = "reader.stalled"
    case cancelIgnored = "cancel.ignored"
    case socketClosed = "socket.closed"
  }

  public var reason: Reason
  public var detail: String

  public init(_ reason: Reason, _ detail: String) {
    self.reason = reason
    self.detail = detail
  }

  public var description: String { "\(reason.rawValue): \(detail)" }
}
