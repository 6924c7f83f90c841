// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// One outgoing frame written in place: room for the header, the JSON, then the body, so that it is sent as it lies.
package struct ReplyFrame {
  package var writer: JSONWriter
  package var body: [UInt8] = []

  /// Begins a response: `{"jsonrpc":"2.0","id":7,"result":` has been written, the result is next.
  package init(result id: RequestID) {
    self.init()
    writer.raw("{\"jsonrpc\":\"2.0\",\"id\":")
    id.write(to: &writer)
    writer.raw(",\"result\":")
  }

  /// Nothing but room for the header.
  package init() {
    writer = JSONWriter(capacity: 512)
    writer.raw("\0\0\0\0\0\0\0\0")
  }

  /// Bytes of JSON so far.
  package var jsonBytes: Int { writer.bytes.count - FrameHeader.length }
  /// What the frame's `total` would be.
  package var totalBytes: Int { 4 + jsonBytes + body.count }

  /// Closes the message's object and gives the whole frame.
  package consuming func finished(stream: Int64? = nil) -> [UInt8] {
    Message.write(stream: stream, to: &writer)
    writer.raw("}")
    return sealed()
  }

  /// The whole frame of JSON that is complete.
  package consuming func sealed() -> [UInt8] {
    let header = FrameHeader(jsonLength: jsonBytes, bodyLength: body.count)
    var bytes = writer.bytes
    writer = JSONWriter(capacity: 0)
    bytes.replaceSubrange(0..<FrameHeader.length, with: header.bytes)
    bytes += body
    return bytes
  }

  package static func error(_ id: RequestID, _ error: HostError) -> [UInt8] {
    var frame = ReplyFrame()
    Message.response(.init(id: id, outcome: .error(RPCError(error)))).write(to: &frame.writer)
    return frame.sealed()
  }

  package static func notification(_ method: String, _ params: JSONValue) -> [UInt8] {
    var frame = ReplyFrame()
    Message.notification(method: method, params: params).write(to: &frame.writer)
    return frame.sealed()
  }
}
