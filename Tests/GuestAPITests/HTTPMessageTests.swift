// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite("http.request: heads of requests and answers")
struct HTTPMessageTests {
  @Test(
    "an answer that could forge a header or a response is refused",
    arguments: [
      "{}", #"{"status":"200"}"#, #"{"status":199}"#, #"{"status":600}"#, #"{"status":101}"#,
      #"{"status":200.0}"#, #"{"status":-200}"#, #"{"status":200,"headers":{}}"#,
      #"{"status":200,"headers":[["a"]]}"#, #"{"status":200,"headers":[["a","b","c"]]}"#,
      #"{"status":200,"headers":[["a",1]]}"#, #"{"status":200,"headers":["a: b"]}"#,
      #"{"status":200,"headers":[["","b"]]}"#, #"{"status":200,"headers":[["a b","c"]]}"#,
      #"{"status":200,"headers":[["a:","c"]]}"#, #"{"status":200,"headers":[["a\r\nb","c"]]}"#,
      #"{"status":200,"headers":[["é","c"]]}"#, #"{"status":200,"headers":[["\u212a","c"]]}"#,
      #"{"status":200,"headers":[["a\u0000","c"]]}"#,
      #"{"status":200,"headers":[["a","b\r\nset-cookie: x=1"]]}"#,
      #"{"status":200,"headers":[["a","b\n"]]}"#, #"{"status":200,"headers":[["a","\r"]]}"#,
      #"{"status":200,"headers":[["a","b\u0000"]]}"#, #"{"status":200,"headers":[["a","\u007f"]]}"#,
      #"{"status":200,"headers":[["a","\u001b[2J"]]}"#,
    ])
  func refusesAnswers(text: String) throws {
    let json = try JSONParser.parse(text)
    let error = #expect(throws: HostError.self) { try HTTPResponseHead(json) }
    #expect(error?.area == .params)
  }

  @Test("an answer may have no headers, repeated ones, tabs and any text")
  func acceptsAnswers() throws {
    let json: JSONValue = [
      "status": 599,
      "headers": [
        ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["x-é".isEmpty ? "" : "x", "\té😀"],
      ],
    ]
    let head = try HTTPResponseHead(json)
    #expect(head.status == 599)
    #expect(head.headers.map(\.name) == ["Set-Cookie", "Set-Cookie", "x"])
    #expect(try HTTPResponseHead(["status": 200]) == HTTPResponseHead(status: 200))
  }

  @Test("every byte that may stand in a token may, no other does")
  func tokens() {
    let allowed = Set(
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for byte in UInt8(0)...127 {
      let text = String(decoding: [byte], as: UTF8.self)
      #expect(HTTPField.isToken(text) == allowed.contains(byte), "\(byte)")
      #expect(HTTPField.isValue(text) == (byte == 9 || (byte >= 32 && byte != 127)), "\(byte)")
    }
    #expect(!HTTPField.isToken(""))
    #expect(HTTPField.isValue(""))
  }

  @Test(
    "a request's params that miss something are refused by name",
    arguments: [
      "{}", #"{"method":"GET"}"#, #"{"method":"GET","target":"/"}"#,
      #"{"method":"GET","target":"/","remote":{}}"#,
      #"{"method":1,"target":"/","remote":{"ip":"x"}}"#,
      #"{"method":"GET","target":"/","remote":{"ip":"x"},"headers":[[]]}"#,
    ])
  func refusesRequests(text: String) throws {
    let json = try JSONParser.parse(text)
    #expect(throws: HostError.self) { try HTTPRequestHead(json) }
  }

  @Test("nobody is nobody: a null identity, and one without an id")
  func identities() throws {
    func identity(_ value: JSONValue) throws -> Identity? {
      try HTTPRequestHead([
        "method": "GET", "target": "/", "remote": ["ip": "::1"], "identity": value,
      ]).identity
    }
    #expect(try identity(nil) == nil)
    #expect(try identity(["name": "Ana"]) == nil)
    #expect(try identity(["id": "ana"]) == Identity(id: "ana", name: "ana"))
  }
}
