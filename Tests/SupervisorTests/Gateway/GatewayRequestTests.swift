// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore
import Supervisor
import Testing

private let get = "GET /x HTTP/1.1\r\nHost: a.localhost\r\n\r\n"

@Suite struct GatewayRequestTests {
  @Test("requests on one connection are answered one after the other, and sent to their app")
  func keepAlive() async throws {
    try await GatewayFixture.run { fixture in
      let client = try fixture.client()
      for number in 1...3 {
        let answer = try client.get("/\(number)?q", "X-A: b")
        #expect(answer.status == 200)
        #expect(answer.body == "GET /\(number)?q ")
        #expect(answer["content-length"] == "\(answer.body.utf8.count)")
        #expect(answer["date"]?.hasSuffix(" GMT") == true)
        #expect(answer["connection"] == nil)
      }
      let head = try #require(fixture.app.requests.first).head
      #expect(head.remoteIP == "127.0.0.1")
      #expect(head.scheme == "http")
      #expect(head.identity == nil)
      #expect(head.headers.map { "\($0.name): \($0.value)" } == ["Host: a.localhost", "X-A: b"])
    }
  }

  @Test("names that no app has get 404, the host's own name its page")
  func names() async throws {
    try await GatewayFixture.run(options: { $0.hostPage = { "<h1>here</h1>" } }) { fixture in
      let client = try fixture.client()
      func get(_ host: String, _ target: String = "/", _ lines: String = "") throws
        -> RawClient.Answer
      {
        try client.send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\(lines)\r\n")
        return try client.readAnswer()
      }
      let unknown = try get("b.localhost")
      #expect(unknown.status == 404)
      #expect(unknown["content-type"] == "application/problem+json")
      #expect(unknown.body.contains("\"code\":\"origin.unknown\""))
      let page = try get("example.org", "/", "Accept: text/html,*/*\r\n")
      #expect(page.status == 404)
      #expect(page["content-type"] == "text/html; charset=utf-8")
      #expect(try get("localhost:8080").body == "<h1>here</h1>")
      #expect(try get("localhost", "/other").status == 404)
      #expect(try get("A.LOCALHOST:1", "/x").body == "GET /x ")
      #expect(fixture.app.requests.count == 1)
    }
  }

  @Test("pipelined requests are answered in order, whatever the app's pace")
  func pipelining() async throws {
    let app: FakeApp.Handler = { exchange in
      let delay = TimeAmount.milliseconds(exchange.head.target == "/1" ? 50 : 0)
      _ = exchange.receiver.eventLoop.scheduleTask(in: delay) {
        exchange.answer(200, exchange.head.target)
      }
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      let requests = (1...20).map { "GET /\($0) HTTP/1.1\r\nHost: a.localhost\r\n\r\n" }
      try client.send(requests.joined())
      for number in 1...20 { #expect(try client.readAnswer().body == "/\(number)") }
    }
  }

  @Test(
    "a client that sends requests without end and reads nothing is left alone, in bounded memory")
  func endlessPipelining() async throws {
    try await GatewayFixture.run(app: FakeApp.always(200, [], String(repeating: "x", count: 2000)))
    {
      fixture in
      let client = try fixture.client()
      let request = Array(get.utf8)
      let piece = Array(repeating: request, count: 1000).flatMap { $0 }
      let sent = client.sendWhatFits(piece, atMost: 1 << 30)
      // What the kernel and the gateway hold; without a bound all of the gigabyte would have gone through.
      #expect(sent < 64 << 20)
      let begun = fixture.app.requests.count
      #expect(begun < sent / request.count)
      // And it goes on where it stopped.
      for _ in 0..<begun { #expect(try client.readAnswer().status == 200) }
      #expect(try client.readAnswer().status == 200)
    }
  }

  @Test("HTTP/1.0 closes unless asked not to, and gets no chunks")
  func http10() async throws {
    let app: FakeApp.Handler = { exchange in
      if exchange.head.target == "/stream" {
        exchange.begin(200, "a")
        exchange.more("b", isComplete: true)
      } else {
        exchange.answer(200, "whole")
      }
    }
    try await GatewayFixture.run(app: app) { fixture in
      var client = try fixture.client()
      try client.send("GET / HTTP/1.0\r\nHost: a.localhost\r\nConnection: keep-alive\r\n\r\n")
      let first = try client.readAnswer()
      #expect(first["connection"] == "keep-alive")
      try client.send("GET / HTTP/1.0\r\nHost: a.localhost\r\n\r\n")
      let second = try client.readToEnd()
      #expect(second.contains("connection: close\r\n"))
      #expect(second.hasSuffix("\r\n\r\nwhole"))
      client = try fixture.client()
      try client.send("GET /stream HTTP/1.0\r\nHost: a.localhost\r\nConnection: keep-alive\r\n\r\n")
      let stream = try client.readToEnd()
      #expect(stream.contains("connection: close\r\n"))
      #expect(!stream.contains("chunked"))
      #expect(stream.hasSuffix("\r\n\r\nab"))
    }
  }

  @Test("HEAD has the head of GET and no body, however the app answers")
  func head() async throws {
    let app: FakeApp.Handler = { exchange in
      switch exchange.head.target {
      case "/body": exchange.answer(200, "12345")
      case "/length": exchange.answer(200, "", [("Content-Length", "77")])
      case "/none": exchange.answer(200, "")
      default:
        exchange.begin(200, "1234")
        exchange.more("5", isComplete: true)
      }
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      #expect(try client.get("/body", method: "HEAD")["content-length"] == "5")
      #expect(try client.get("/length", method: "HEAD")["content-length"] == "77")
      #expect(try client.get("/none", method: "HEAD")["content-length"] == nil)
      let stream = try client.get("/stream", method: "HEAD")
      #expect(stream.status == 200)
      #expect(stream["transfer-encoding"] == nil)
      #expect(try client.get("/body").body == "12345")
    }
  }

  @Test("headers about the connection do not come through from the app, nor do two lengths")
  func answerHeaders() async throws {
    let headers: [(name: String, value: String)] = [
      ("Connection", "close, X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=1"),
      ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("Content-Length", "999"),
      ("X-Kept", "yes"), ("Set-Cookie", "a=b; Domain=localhost; Path=/"), ("Set-Cookie", "c=d"),
      ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ]
    try await GatewayFixture.run(app: FakeApp.always(201, headers, "body")) { fixture in
      let client = try fixture.client()
      let answer = try client.get("/")
      #expect(answer.status == 201)
      #expect(answer.body == "body")
      #expect(answer["content-length"] == "4")
      #expect(answer["x-kept"] == "yes")
      #expect(answer["set-cookie"] == "a=b; Path=/|c=d")
      #expect(answer["date"] == "Sun, 06 Nov 1994 08:49:37 GMT")
      for name in ["x-hop", "keep-alive", "transfer-encoding", "upgrade", "connection"] {
        #expect(answer[name] == nil, "\(name)")
      }
      #expect(try client.get("/").status == 201)
    }
  }

  @Test("an app's answer that could split into two is not sent")
  func splitting() async throws {
    for header in [
      ("X-A", "b\r\nX-B: c"), ("X-A", "b\n"), ("X A", "b"), ("X-A\r\n", "b"), ("", "b"),
    ] {
      try await GatewayFixture.run(app: FakeApp.always(200, [header], "body")) { fixture in
        let answer = try fixture.client().get("/")
        #expect(answer.status == 502)
        #expect(answer["x-b"] == nil)
      }
    }
  }

  @Test("statuses without a body have none, and the connection goes on")
  func noBody() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.answer(Int(exchange.head.target.dropFirst()) ?? 0, "must not be sent")
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      #expect(try client.get("/204")["content-length"] == nil)
      #expect(try client.get("/304").status == 304)
      #expect(try client.get("/200").body == "must not be sent")
    }
  }

  @Test("a failure of the app is an error without the host's detail")
  func failures() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.receiver.fail(
        HostError(
          .overloaded, "queue", "The app has too much to do.", log: "/srv/secret/path",
          data: [("retryAfter", .int(7))]))
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      let answer = try client.get("/", "Accept: text/html")
      #expect(answer.status == 503)
      #expect(answer["retry-after"] == "7")
      #expect(answer["content-type"] == "text/html; charset=utf-8")
      #expect(answer.body.contains("The app has too much to do."))
      #expect(!answer.body.contains("secret"))
      #expect(try client.get("/").body.contains("\"code\":\"overloaded.queue\""))
      #expect(fixture.app.counts.statuses == [503, 503])
    }
  }

  @Test("an answer may come before start returns, and after it")
  func reentrancy() async throws {
    let app: FakeApp.Handler = { exchange in
      if exchange.head.target == "/now" { return exchange.answer(200, "now") }
      exchange.receiver.eventLoop.execute { exchange.answer(200, "later") }
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      try client.send(
        String(repeating: get.replacing("/x", with: "/now") + get, count: 50))
      for _ in 0..<50 {
        #expect(try client.readAnswer().body == "now")
        #expect(try client.readAnswer().body == "later")
      }
    }
  }

  @Test("WebSocket is refused by name, other upgrades are passed over, OPTIONS * is the host's")
  func upgrades() async throws {
    try await GatewayFixture.run { fixture in
      let client = try fixture.client()
      let socket = try client.get(
        "/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
      #expect(socket.status == 501)
      #expect(socket.body.contains("request.upgrade"))
      #expect(try client.get("/", "Connection: Upgrade", "Upgrade: h2c").body == "GET / ")
      #expect(try client.get("*", method: "OPTIONS").status == 204)
      #expect(fixture.app.requests.count == 1)
      #expect(fixture.app.requests.first?.header("upgrade") == nil)
    }
  }

  @Test("only a trusted proxy is believed about who asks and where from")
  func identity() async throws {
    let lines = [
      "Remote-User: ana", "Remote-Groups: staff", "X-Forwarded-For: 192.0.2.7",
      "X-Forwarded-Proto: https",
    ]
    let request =
      "GET /x HTTP/1.1\r\nHost: a.localhost\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    let headers = IdentityHeaders(user: "Remote-User", groups: "Remote-Groups")
    let proxy = try #require(AddressRange("127.0.0.0/8"))
    try await GatewayFixture.run(options: {
      $0.identity = headers
      $0.trustedProxies = [proxy]
    }) { fixture in
      let client = try fixture.client()
      try client.send(request)
      #expect(try client.readAnswer().status == 200)
      let head = try #require(fixture.app.requests.first).head
      #expect(head.identity == Identity(id: "ana", name: "ana", groups: ["staff"]))
      #expect(head.remoteIP == "192.0.2.7")
      #expect(head.scheme == "https")
      #expect(!head.headers.contains { $0.name.lowercased().hasPrefix("remote-") })
    }
    try await GatewayFixture.run(publicPaths: ["/hooks/*"], options: { $0.identity = headers }) {
      fixture in
      let client = try fixture.client()
      try client.send(request)
      let refused = try client.readAnswer()
      #expect(refused.status == 401)
      #expect(refused["www-authenticate"] != nil)
      #expect(fixture.app.requests.isEmpty)
      #expect(try client.get("/hooks/x", "Remote-User: root").status == 200)
      let head = try #require(fixture.app.requests.first).head
      #expect(head.identity == nil)
      #expect(head.remoteIP == "127.0.0.1")
      #expect(try client.get("/hooks/../x").status == 401)
    }
  }

  @Test("traffic is counted to the byte")
  func traffic() async throws {
    try await GatewayFixture.run { fixture in
      let client = try fixture.client()
      let request =
        "POST /x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
      try client.send(request + "hello")
      let answer = try client.readToEnd()
      #expect(fixture.app.counts.received == request.utf8.count + 5)
      #expect(fixture.app.counts.sent == answer.utf8.count)
      #expect(fixture.app.counts.statuses == [200])
      #expect(fixture.app.counts.microseconds.count == 1)
      #expect(fixture.app.counts.microseconds.allSatisfy { $0 >= 0 })
    }
  }

  @Test("a port in use is one clear error")
  func portInUse() async throws {
    try await GatewayFixture.run { fixture in
      await #expect {
        try await fixture.gateway.start(host: "127.0.0.1", port: fixture.port)
      } throws: {
        "\($0)".contains("the port is in use") && "\($0)".contains("--listen")
      }
    }
  }
}
