// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite("Messages: what is one and what is not")
struct MessageTests {
  private func read(_ text: String) throws -> Message { try Message(JSONParser.parse(text)) }

  @Test(
    "not a message of this protocol",
    arguments: [
      "[]", "1", "null", "\"x\"", "{}", #"{"jsonrpc":"2.0"}"#,
      #"{"jsonrpc":2.0,"id":1,"result":{}}"#,
      #"{"jsonrpc":"1.0","id":1,"result":{}}"#, #"{"id":1,"result":{}}"#,
      #"{"jsonrpc":"2.0","id":1}"#, #"{"jsonrpc":"2.0","result":{}}"#,
      #"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
      #"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#,
      #"{"jsonrpc":"2.0","id":1,"error":null}"#, #"{"jsonrpc":"2.0","id":1,"error":{}}"#,
      #"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#,
      #"{"jsonrpc":"2.0","id":1,"error":{"code":1.0,"message":"m"}}"#,
      #"{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"m"}}"#,
      #"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":7}}"#,
      #"{"jsonrpc":"2.0","id":null,"result":{}}"#, #"{"jsonrpc":"2.0","id":-1,"result":{}}"#,
      #"{"jsonrpc":"2.0","id":1.0,"result":{}}"#, #"{"jsonrpc":"2.0","id":true,"result":{}}"#,
      #"{"jsonrpc":"2.0","id":9007199254740992,"result":{}}"#,
      #"{"jsonrpc":"2.0","id":[1],"result":{}}"#, #"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
      #"{"jsonrpc":"2.0","id":1,"method":""}"#, #"{"jsonrpc":"2.0","id":1,"method":7}"#,
      #"{"jsonrpc":"2.0","id":1,"method":null,"result":{}}"#,
      #"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","params":[]}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#,
      #"{"jsonrpc":"2.0","method":"m","params":"p"}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","meta":[]}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","meta":{"deadlineMs":-1}}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","meta":{"deadlineMs":1.5}}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","meta":{"deadlineMs":null}}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","meta":{"traceparent":7}}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","stream":-1}"#,
      #"{"jsonrpc":"2.0","id":1,"method":"m","stream":"3"}"#,
      #"{"jsonrpc":"2.0","id":1,"result":{},"stream":9007199254740992}"#,
      #"{"jsonrpc":"2.0","id":1,"result":{},"stream":null}"#,
    ])
  func refused(text: String) throws {
    let json = try JSONParser.parse(text)
    let violation = #expect(throws: ProtocolViolation.self) { try Message(json) }
    #expect(violation?.reason == .messageInvalid)
  }

  @Test("ids and method names at their bounds")
  func bounds() throws {
    let id = String(repeating: "é", count: 32)
    #expect(
      try read("{\"jsonrpc\":\"2.0\",\"id\":\"\(id)\",\"method\":\"m\"}")
        == .request(.init(id: .string(id), method: "m", params: [:])))
    #expect(throws: ProtocolViolation.self) {
      try read("{\"jsonrpc\":\"2.0\",\"id\":\"\(id)x\",\"method\":\"m\"}")
    }
    #expect(
      try read(#"{"jsonrpc":"2.0","id":9007199254740991,"result":null}"#)
        == .response(.init(id: .number(FrameLimits.numberMax), outcome: .result(nil))))
    let method = String(repeating: "m", count: 128)
    #expect(throws: Never.self) { try read("{\"jsonrpc\":\"2.0\",\"method\":\"\(method)\"}") }
    #expect(throws: ProtocolViolation.self) {
      try read("{\"jsonrpc\":\"2.0\",\"method\":\"\(method)m\"}")
    }
  }

  @Test("members nobody knows are ignored, params may be left out")
  func lenient() throws {
    #expect(
      try read(#"{"future":[1],"jsonrpc":"2.0","id":1,"method":"m","meta":{"new":1}}"#)
        == .request(.init(id: .number(1), method: "m", params: [:])))
    #expect(
      try read(#"{"jsonrpc":"2.0","method":"n","stream":1}"#)
        == .notification(method: "n", params: [:]))
  }

  @Test("two spellings of one letter are two ids")
  func equivalentIDs() throws {
    let composed = try read("{\"jsonrpc\":\"2.0\",\"id\":\"\u{e9}\",\"result\":1}")
    let decomposed = try read("{\"jsonrpc\":\"2.0\",\"id\":\"e\u{301}\",\"result\":1}")
    #expect(composed != decomposed)
    #expect(Set([RequestID.string("\u{e9}"), .string("e\u{301}"), .string("\u{e9}")]).count == 2)
    #expect(RequestID.number(1) != .string("1"))
  }

  @Test(
    "a signal with a wrong member is a violation",
    arguments: [
      ("$/data", "{}"), ("$/data", #"{"stream":"1"}"#), ("$/data", #"{"stream":-1,"end":true}"#),
      ("$/data", #"{"stream":1,"end":"true"}"#), ("$/data", #"{"stream":1,"end":1}"#),
      ("$/data", #"{"stream":1,"end":null}"#), ("$/data", #"{"stream":1,"end":true,"error":7}"#),
      ("$/credit", #"{"stream":1}"#), ("$/credit", #"{"stream":1,"bytes":0}"#),
      ("$/credit", #"{"stream":1,"bytes":-5}"#), ("$/credit", #"{"stream":1,"bytes":2147483648}"#),
      ("$/credit", #"{"stream":1,"bytes":1.0}"#), ("$/credit", #"{"bytes":1}"#),
      ("$/stop", "{}"), ("$/stop", #"{"stream":9007199254740992}"#),
      ("$/cancel", "{}"), ("$/cancel", #"{"id":null}"#), ("$/cancel", #"{"id":-1}"#),
    ])
  func wrongSignals(method: String, params: String) throws {
    let json = try JSONParser.parse(params)
    let violation = #expect(throws: ProtocolViolation.self) {
      try StreamSignal(method: method, params: json)
    }
    #expect(violation?.reason == .messageInvalid)
  }

  @Test("a notification of a later version is ignored")
  func unknownSignal() throws {
    #expect(try StreamSignal(method: "$/later", params: ["stream": "x"]) == nil)
    #expect(
      try StreamSignal(method: "$/data", params: ["stream": 1])
        == .data(stream: 1, end: false, failure: nil))
  }
}
