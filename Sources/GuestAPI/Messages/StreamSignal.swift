// SPDX-License-Identifier: Apache-2.0

/// The notifications that move streams and end requests.
public enum StreamSignal: Sendable, Equatable {
  /// The frame's body is the next piece. `failure` says why a sender gave up.
  case data(stream: Int64, end: Bool, failure: String?)
  /// The receiver takes this many bytes more.
  case credit(stream: Int64, bytes: Int)
  /// The receiver wants no more.
  case stop(stream: Int64)
  /// The answer to this request is no longer wanted.
  case cancel(RequestID)

  /// Nil for a notification this version does not know, which is ignored.
  public init?(method: String, params: JSONValue) throws(ProtocolViolation) {
    func stream() throws(ProtocolViolation) -> Int64 {
      guard let number = params["stream"]?.int, (0...FrameLimits.numberMax).contains(number) else {
        throw ProtocolViolation(.messageInvalid, "\(method) needs \"stream\", an integer from 0")
      }
      return number
    }
    switch method {
    case "$/data":
      // An `end` that is read as something else would leave a stream open for good.
      let (end, failure) = (params["end"] ?? false, params["error"])
      guard let isEnd = end.bool, failure == nil || failure?.string != nil else {
        throw ProtocolViolation(
          .messageInvalid, "$/data needs a boolean \"end\", and \"error\" is a string")
      }
      self = .data(stream: try stream(), end: isEnd, failure: failure?.string)
    case "$/credit":
      guard let bytes = params["bytes"]?.int, (1...Int64(Int32.max)).contains(bytes) else {
        throw ProtocolViolation(.messageInvalid, "$/credit needs \"bytes\" from 1 to 2^31-1")
      }
      self = .credit(stream: try stream(), bytes: Int(bytes))
    case "$/stop": self = .stop(stream: try stream())
    case "$/cancel":
      guard let id = params["id"].flatMap(RequestID.init) else {
        throw ProtocolViolation(.messageInvalid, "$/cancel needs \"id\"")
      }
      self = .cancel(id)
    default: return nil
    }
  }

  public func write(to writer: inout JSONWriter) {
    switch self {
    case .data(let stream, let end, let failure):
      writer.raw("{\"jsonrpc\":\"2.0\",\"method\":\"$/data\",\"params\":{\"stream\":")
      writer.int(stream)
      writer.raw(",\"end\":")
      writer.bool(end)
      if let failure {
        writer.raw(",\"error\":")
        writer.string(failure)
      }
      writer.raw("}}")
    case .credit(let stream, let bytes):
      writer.raw("{\"jsonrpc\":\"2.0\",\"method\":\"$/credit\",\"params\":{\"stream\":")
      writer.int(stream)
      writer.raw(",\"bytes\":")
      writer.int(Int64(bytes))
      writer.raw("}}")
    case .stop(let stream):
      writer.raw("{\"jsonrpc\":\"2.0\",\"method\":\"$/stop\",\"params\":{\"stream\":")
      writer.int(stream)
      writer.raw("}}")
    case .cancel(let id):
      writer.raw("{\"jsonrpc\":\"2.0\",\"method\":\"$/cancel\",\"params\":{\"id\":")
      id.write(to: &writer)
      writer.raw("}}")
    }
  }

  public var encoded: [UInt8] {
    var writer = JSONWriter(capacity: 96)
    write(to: &writer)
    return writer.bytes
  }
}
