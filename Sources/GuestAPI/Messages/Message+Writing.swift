// SPDX-License-Identifier: Apache-2.0

extension Message {
  /// The message as the JSON part of a frame.
  public func write(to writer: inout JSONWriter) {
    writer.raw("{\"jsonrpc\":\"2.0\"")
    switch self {
    case .request(let request):
      writer.raw(",\"id\":")
      request.id.write(to: &writer)
      writer.raw(",\"method\":")
      writer.string(request.method)
      writer.raw(",\"params\":")
      writer.value(request.params)
      Self.write(meta: request.meta, to: &writer)
      Self.write(stream: request.stream, to: &writer)
    case .response(let response):
      writer.raw(",\"id\":")
      response.id.write(to: &writer)
      switch response.outcome {
      case .result(let result):
        writer.raw(",\"result\":")
        writer.value(result)
      case .error(let error):
        writer.raw(",\"error\":")
        writer.value(error.json)
      }
      Self.write(stream: response.stream, to: &writer)
    case .notification(let method, let params):
      writer.raw(",\"method\":")
      writer.string(method)
      writer.raw(",\"params\":")
      writer.value(params)
    }
    writer.raw("}")
  }

  public static func write(meta: Meta, to writer: inout JSONWriter) {
    guard !meta.isEmpty else { return }
    writer.raw(",\"meta\":{")
    if let deadline = meta.deadlineMs {
      writer.raw("\"deadlineMs\":")
      writer.int(deadline)
    }
    if let traceparent = meta.traceparent {
      if meta.deadlineMs != nil { writer.raw(",") }
      writer.raw("\"traceparent\":")
      writer.string(traceparent)
    }
    writer.raw("}")
  }

  public static func write(stream: Int64?, to writer: inout JSONWriter) {
    guard let stream else { return }
    writer.raw(",\"stream\":")
    writer.int(stream)
  }

  /// The JSON part as bytes.
  public var encoded: [UInt8] {
    var writer = JSONWriter()
    write(to: &writer)
    return writer.bytes
  }
}

extension RPCError {
  var json: JSONValue {
    var object = JSONObject([("code", .int(code)), ("message", .string(message))])
    if !data.isNull { object["data"] = data }
    return .object(object)
  }
}
