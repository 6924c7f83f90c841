// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite("Golden frames: the protocol to the byte")
struct GoldenTests {
  @Test("a message is written as its file says", arguments: Example.all)
  func encodes(example: Example) throws {
    let found = GoldenFrame(json: example.message.encoded, body: example.body)
    if GoldenFrame.isUpdating { try found.write(example.name) }
    let golden = try GoldenFrame.read(example.name)
    #expect(
      String(decoding: found.json, as: UTF8.self) == String(decoding: golden.json, as: UTF8.self))
    #expect(found.json == golden.json)
    #expect(found.body == golden.body)
  }

  @Test("a file's frame is read as its message", arguments: Example.all)
  func decodes(example: Example) throws {
    let golden = try GoldenFrame.read(example.name)
    var decoder = FrameDecoder()
    decoder.append(Frame.encode(json: golden.json, body: golden.body))
    let frame = try #require(try decoder.next())
    #expect(try Message(frame.json) == example.message)
    #expect(frame.body == example.body)
    #expect(frame.json.encoded == golden.json, "JSON survives reading and writing unchanged")
    #expect(!decoder.isMidFrame)
  }

  @Test("every file has its example, and every example its own name")
  func filesAndExamplesMatch() throws {
    let names = Example.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(try GoldenFrame.names() == Set(names))
  }

  @Test("the hot path writes http.request as the message does", arguments: Example.http)
  func writesRequestHeads(example: Example) throws {
    guard case .request(let request) = example.message else { return }
    let head = try HTTPRequestHead(request.params)
    var writer = JSONWriter()
    head.write(to: &writer)
    #expect(writer.bytes == request.params.encoded)
    let identity = request.params["identity"] ?? .null
    #expect((head.identity == nil) == identity.isNull)
    #expect(head.method == request.params["method"]?.string)
    #expect(head.target == request.params["target"]?.string)
    #expect(head.remoteIP == request.params["remote"]?["ip"]?.string)
    #expect(head.headers.count == request.params["headers"]?.array?.count)
  }

  @Test("the hot path writes the answer's head as the message does", arguments: Example.http)
  func writesResponseHeads(example: Example) throws {
    guard case .response(let response) = example.message,
      case .result(let result) = response.outcome
    else { return }
    let head = try HTTPResponseHead(result)
    var writer = JSONWriter()
    head.write(to: &writer)
    #expect(writer.bytes == result.encoded)
  }

  @Test("stream signals are written and read as their notifications", arguments: Example.streams)
  func readsSignals(example: Example) throws {
    guard case .notification(let method, let params) = example.message else {
      Issue.record("\(example.name) is no notification")
      return
    }
    let signal = try #require(try StreamSignal(method: method, params: params))
    #expect(signal.encoded == example.message.encoded)
  }
}
