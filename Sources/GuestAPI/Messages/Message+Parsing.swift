// SPDX-License-Identifier: Apache-2.0

extension Message {
  /// Reads a message out of a frame's JSON. Unknown members are ignored; wrong ones are a violation.
  public init(_ json: JSONValue) throws(ProtocolViolation) {
    guard let object = json.object else {
      throw Self.invalid("the JSON part is \(json.typeName), not an object")
    }
    guard object["jsonrpc"] == .string("2.0") else {
      throw Self.invalid("\"jsonrpc\" must be \"2.0\"")
    }
    if let method = object["method"] {
      self = try Self.call(object, method)
    } else {
      self = .response(try Self.response(object))
    }
  }

  private static func invalid(_ detail: String) -> ProtocolViolation {
    ProtocolViolation(.messageInvalid, detail)
  }

  private static func call(
    _ object: JSONObject, _ method: JSONValue
  ) throws(ProtocolViolation) -> Message {
    guard let name = method.string, !name.isEmpty, name.utf8.count <= 128 else {
      throw invalid("\"method\" must be a string of 1 to 128 bytes")
    }
    let params = object["params"] ?? .object(JSONObject())
    guard params.object != nil else { throw invalid("\"params\" must be an object") }
    guard let rawID = object["id"] else { return .notification(method: name, params: params) }
    return .request(
      Request(
        id: try id(rawID), method: name, params: params, meta: try meta(object["meta"]),
        stream: try stream(object["stream"])))
  }

  private static func response(_ object: JSONObject) throws(ProtocolViolation) -> Response {
    guard let rawID = object["id"] else { throw invalid("neither \"method\" nor \"id\"") }
    let id = try id(rawID)
    let stream = try stream(object["stream"])
    switch (object["result"], object["error"]) {
    case (let result?, nil): return Response(id: id, outcome: .result(result), stream: stream)
    case (nil, let error?):
      guard let code = error["code"]?.int, let message = error["message"]?.string else {
        throw invalid("\"error\" needs an integer \"code\" and a string \"message\"")
      }
      let data = error["data"] ?? .null
      return Response(
        id: id, outcome: .error(RPCError(code: code, message: message, data: data)), stream: stream)
    default: throw invalid("a response has either \"result\" or \"error\"")
    }
  }

  private static func id(_ value: JSONValue) throws(ProtocolViolation) -> RequestID {
    guard let id = RequestID(value) else {
      throw invalid("\"id\" must be an integer from 0 to 2^53-1 or a string of at most 64 bytes")
    }
    return id
  }

  private static func stream(_ value: JSONValue?) throws(ProtocolViolation) -> Int64? {
    guard let value else { return nil }
    guard let number = value.int, (0...FrameLimits.numberMax).contains(number) else {
      throw invalid("\"stream\" must be an integer from 0 to 2^53-1")
    }
    return number
  }

  private static func meta(_ value: JSONValue?) throws(ProtocolViolation) -> Meta {
    guard let value else { return Meta() }
    guard value.object != nil else { throw invalid("\"meta\" must be an object") }
    let deadline = value["deadlineMs"]
    guard deadline == nil || (deadline?.int ?? -1) >= 0 else {
      throw invalid("\"meta.deadlineMs\" must be a non-negative integer")
    }
    let traceparent = value["traceparent"]
    guard traceparent == nil || traceparent?.string != nil else {
      throw invalid("\"meta.traceparent\" must be a string")
    }
    return Meta(deadlineMs: deadline?.int, traceparent: traceparent?.string)
  }
}
