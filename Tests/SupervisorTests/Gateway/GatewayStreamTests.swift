// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore
import Supervisor
import Synchronization
import Testing

@Suite struct GatewayStreamTests {
  @Test("a small body comes whole, a larger one as a stream, and both arrive unchanged")
  func uploads() async throws {
    try await GatewayFixture.run { fixture in
      let client = try fixture.client()
      for (count, isWhole) in [
        (0, true), (1, true), (65_536, true), (65_537, false), (900_000, false),
      ] {
        let body = String((0..<count).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
        try client.send(
          "POST /x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: \(count)\r\n\r\n\(body)")
        #expect(try client.readAnswer().body == "POST /x \(body)")
        let exchange = try #require(fixture.app.requests.last)
        #expect(exchange.cameWhole == isWhole, "\(count)")
        #expect(exchange.header("content-length") == "\(count)")
      }
    }
  }

  @Test("a chunked body is put together; its length is told only if it is known in time")
  func chunked() async throws {
    try await GatewayFixture.run { fixture in
      let client = try fixture.client()
      let head = "POST /x HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      try client.send(head + "5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n")
      #expect(try client.readAnswer().body == "POST /x hello world")
      let whole = try #require(fixture.app.requests.last)
      #expect(whole.header("content-length") == "11")
      #expect(whole.header("transfer-encoding") == nil)
      try client.send(head)
      try await eventually("the request began") { fixture.app.requests.count == 2 }
      try client.send("5\r\nhello\r\n")
      try client.send("0\r\n\r\n")
      #expect(try client.readAnswer().body == "POST /x hello")
      #expect(fixture.app.requests.last?.header("content-length") == nil)
    }
  }

  @Test("100 Continue is said when the body is wanted, and not when it has come or is not")
  func expect() async throws {
    let app: FakeApp.Handler = { exchange in
      if exchange.head.target == "/no" { return exchange.answer(403, "no") }
      FakeApp.echo(exchange)
    }
    try await GatewayFixture.run(app: app) { fixture in
      func head(_ target: String, _ count: Int) -> String {
        "POST \(target) HTTP/1.1\r\nHost: a.localhost\r\nExpect: 100-continue\r\n"
          + "Content-Length: \(count)\r\n\r\n"
      }
      let client = try fixture.client()
      for count in [5, 100_000] {
        try client.send(head("/x", count))
        #expect(try client.readHead().status == 100)
        try client.send(String(repeating: "x", count: count))
        #expect(try client.readAnswer().body.utf8.count == count + 8)
      }
      try client.send(head("/x", 5) + "hello")
      #expect(try client.readAnswer().status == 200)
      #expect(fixture.app.requests.first?.header("expect") == nil)
      // The client was never told to go on: what it sends next could be the body or a request.
      try client.send(head("/no", 100_000))
      let refused = try client.readAnswer()
      #expect(refused.status == 403)
      #expect(refused["connection"] == "close")
      #expect(try client.readToEnd() == "")
    }
  }

  @Test("an app that does not take the body holds the client back")
  func uploadBackpressure() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.change { ($0.grants, $0.keepsBody) = (false, false) }
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      try client.send(
        "PUT /x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1073741824\r\n\r\n")
      let piece = [UInt8](repeating: 120, count: 65_536)
      let sent = client.sendWhatFits(piece, atMost: 1 << 30)
      #expect(sent < 64 << 20)
      let exchange = try #require(fixture.app.requests.first)
      // Exactly the credit, however much more is there.
      #expect(exchange.state.bodyCount == FrameLimits().streamCredit)
      exchange.receiver.eventLoop.execute { exchange.receiver.grantRequestBody(bytes: 1000) }
      try await eventually("more of the body came") {
        exchange.state.bodyCount == FrameLimits().streamCredit + 1000
      }
    }
  }

  @Test("a client that does not read holds the app back")
  func downloadBackpressure() async throws {
    let piece = String(repeating: "x", count: 65_536)
    let written = Mutex(0)
    // Writes within its credit, as a backend does.
    let app: FakeApp.Handler = { exchange in
      @Sendable func write(_ credit: Int) {
        var credit = credit
        while credit >= 65_536 {
          exchange.more(piece)
          written.withLock { $0 += 65_536 }
          credit -= 65_536
        }
      }
      exchange.change { state in
        state.whenGranted = { bytes in exchange.receiver.eventLoop.execute { write(bytes) } }
      }
      exchange.begin(200)
      write(FrameLimits().streamCredit)
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      try client.send("GET /x HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      #expect(try client.readHead()["transfer-encoding"] == "chunked")
      // Quiet once the socket's and the gateway's buffers are full.
      var last = -1
      while true {
        let now = written.withLock { $0 }
        if now == last { break }
        last = now
        try await Task.sleep(for: .milliseconds(300))
      }
      #expect(last < 32 << 20)
      while written.withLock({ $0 }) <= last { _ = try client.readSome() }
      client.reset()
      let exchange = try #require(fixture.app.requests.first)
      try await eventually("the app learned that the client is gone") { exchange.state.isCancelled }
    }
  }

  @Test("server-sent events arrive one by one, when they are written")
  func events() async throws {
    let app: FakeApp.Handler = { $0.begin(200, "", [("content-type", "text/event-stream")]) }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      try client.send("GET /events HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      #expect(try client.readHead()["content-type"] == "text/event-stream")
      let exchange = try #require(fixture.app.requests.first)
      for number in 1...3 {
        exchange.receiver.eventLoop.execute { exchange.more("data: \(number)\n\n") }
        #expect(try client.readChunk() == "data: \(number)\n\n")
      }
      client.close()
      try await eventually("the app learned that the client is gone") { exchange.state.isCancelled }
    }
  }

  @Test("a streamed body has exactly the length the app has said, or the connection ends")
  func lengths() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.begin(200, "12", [("Content-Length", "5")])
      switch exchange.head.target {
      case "/exact": exchange.more("345", isComplete: true)
      case "/short": exchange.more("3", isComplete: true)
      default: exchange.more("34567", isComplete: true)
      }
    }
    try await GatewayFixture.run(app: app) { fixture in
      var client = try fixture.client()
      for _ in 0..<2 {
        let exact = try client.get("/exact")
        #expect(exact.body == "12345")
        #expect(exact["transfer-encoding"] == nil)
      }
      try client.send("GET /short HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      #expect(try client.readToEnd().hasSuffix("\r\n\r\n123"))
      client = try fixture.client()
      try client.send("GET /long HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      #expect(try client.readToEnd().hasSuffix("\r\n\r\n12345"))
    }
  }

  @Test("an answer that fails half-way is cut off, so that nobody takes it for whole")
  func failsHalfway() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.begin(200, "half")
      exchange.receiver.fail(HostError(.upstream, "crashed", "The app ended."))
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      try client.send("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      let text = try client.readToEnd()
      #expect(text.hasSuffix("4\r\nhalf\r\n"))
    }
  }

  @Test("a client that hangs up, either way, cancels what it asked for", arguments: [true, false])
  func disconnect(withReset: Bool) async throws {
    try await GatewayFixture.run(app: { _ in }) { fixture in
      let client = try fixture.client()
      try client.send("GET /x HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      try await eventually("the request began") { fixture.app.requests.count == 1 }
      if withReset { client.reset() } else { client.close() }
      try await eventually("it was cancelled") { fixture.app.requests[0].state.isCancelled }
      // What comes too late is dropped.
      let exchange = fixture.app.requests[0]
      exchange.receiver.eventLoop.execute { exchange.answer(200, "too late") }
      try await eventually("the connection is gone") { fixture.gateway.connectionCount == 0 }
    }
  }

  @Test("a client that ends its side after a request for a file still gets it")
  func halfClose() async throws {
    try await GatewayFixture.run(app: FakeApp.always(200, [], "x")) { fixture in
      let client = try fixture.client()
      try client.send("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      client.endWriting()
      #expect(try client.readToEnd().hasSuffix("\r\n\r\nx"))
    }
  }

  @Test("an early answer to a large upload is read by the client, and the connection ends")
  func earlyAnswer() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.receiver.stopRequestBody()
      exchange.answer(413, "too large")
    }
    try await GatewayFixture.run(app: app) { fixture in
      let client = try fixture.client()
      try client.send("PUT /x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 800000\r\n\r\n")
      try client.send([UInt8](repeating: 120, count: 800_000))
      let answer = try client.readAnswer()
      #expect(answer.status == 413)
      #expect(answer["connection"] == "close")
      #expect(try client.readToEnd() == "")
    }
  }

  @Test("an early answer to a small upload leaves the connection in step")
  func earlySmallAnswer() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.answer(200, "\(exchange.head.method)")
    }
    try await GatewayFixture.run(options: { $0.bounds.gatheredBodyMax = 10 }, app: app) { fixture in
      let client = try fixture.client()
      try client.send("PUT /x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1000\r\n\r\n")
      #expect(try client.readAnswer().body == "PUT")
      // What looks like requests is still the body.
      try client.send(String(repeating: "GET / HTTP\r\n", count: 1000).utf8.prefix(1000).map { $0 })
      #expect(try client.get("/").body == "GET")
      #expect(fixture.app.requests.count == 2)
      #expect(fixture.app.requests[0].state.isAborted)
    }
  }

  @Test("an unwanted body is dropped while the app thinks")
  func stopped() async throws {
    let app: FakeApp.Handler = { exchange in
      if !exchange.state.isComplete { exchange.receiver.stopRequestBody() }
      exchange.receiver.eventLoop.scheduleTask(in: .milliseconds(50)) {
        exchange.answer(200, "done")
      }
    }
    try await GatewayFixture.run(options: { $0.bounds.gatheredBodyMax = 10 }, app: app) { fixture in
      let client = try fixture.client()
      for _ in 0..<2 {
        try client.send("PUT /x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 20000\r\n\r\n")
        try client.send([UInt8](repeating: 120, count: 20_000))
        #expect(try client.readAnswer().body == "done")
      }
      #expect(fixture.app.requests[0].state.bodyCount < 20_000)
    }
  }
}
