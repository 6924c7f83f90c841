// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore
import Supervisor
import Testing

/// Bounds that run out while a test waits.
private func hasty(_ options: inout GatewayOptions) {
  options.bounds.tickMilliseconds = 20
  options.bounds.headSeconds = 1
  options.bounds.idleSeconds = 1
  options.bounds.rateWindowSeconds = 1
  options.bounds.lingeringSeconds = 1
}

@Suite struct GatewayBoundsTests {
  @Test(
    "a request that could smuggle another is answered 400, and nothing after it is read",
    arguments: [
      "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.localhost\nContent-Length: 0\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.localhost\r\nHost: b.localhost\r\n\r\n",
      "GET http://b.localhost/ HTTP/1.1\r\nHost: a.localhost\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.localhost/x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    ])
  func smuggling(text: String) async throws {
    try await GatewayFixture.run { fixture in
      let client = try fixture.client()
      try client.send(text + "GET /smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      let all = try client.readToEnd()
      #expect(all.hasPrefix("HTTP/1.1 400 "))
      #expect(all.contains("connection: close\r\n"))
      #expect(all.components("HTTP/1.1 ") == 1)
      #expect(!fixture.app.requests.contains { $0.head.target == "/smuggled" })
    }
  }

  @Test("heads that are too large have their own answers and end the connection")
  func heads() async throws {
    try await GatewayFixture.run { fixture in
      let long = String(repeating: "x", count: 70_000)
      for (text, status) in [
        ("GET /\(long) HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 414),
        ("GET /\(long.prefix(8192)) HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: a.localhost\r\nX: \(long)\r\n\r\n", 431),
        (
          "GET / HTTP/1.1\r\nHost: a.localhost\r\n" + String(repeating: "X: y\r\n", count: 100)
            + "\r\n", 431
        ),
      ] {
        let client = try fixture.client()
        try client.send(text)
        let answer = try client.readAnswer()
        #expect(answer.status == status)
        #expect(answer["connection"] == "close")
        #expect(try client.readToEnd() == "")
      }
      let client = try fixture.client()
      let largest = "/" + long.prefix(8191)
      #expect(try client.get(largest, "X: \(long.prefix(50_000))").status == 200)
    }
  }

  @Test("a head that does not end in time is answered 408")
  func slowHead() async throws {
    try await GatewayFixture.run(options: hasty) { fixture in
      let client = try fixture.client()
      try client.send("GET / HTTP/1.1\r\nHo")
      #expect(try client.readToEnd().hasPrefix("HTTP/1.1 408 "))
    }
  }

  @Test("a connection on which nothing happens is closed without a word")
  func idle() async throws {
    try await GatewayFixture.run(options: hasty) { fixture in
      let client = try fixture.client()
      #expect(try client.get("/").status == 200)
      #expect(try client.readToEnd() == "")
      #expect(try fixture.client().readToEnd() == "")
    }
  }

  @Test(
    "a body that comes too slowly is answered 408, gathered or streamed",
    arguments: [1000, 100_000])
  func slowBody(count: Int) async throws {
    try await GatewayFixture.run(options: hasty) { fixture in
      let client = try fixture.client()
      try client.send("PUT / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: \(count)\r\n\r\nsome")
      #expect(try client.readToEnd().hasPrefix("HTTP/1.1 408 "))
      if count > 65_536 {
        let exchange = try #require(fixture.app.requests.first)
        #expect(exchange.state.isAborted && exchange.state.isCancelled)
      } else {
        #expect(fixture.app.requests.isEmpty)
      }
    }
  }

  @Test("an app that takes its time over a body does not make the client too slow")
  func slowApp() async throws {
    let app: FakeApp.Handler = { exchange in
      exchange.change { ($0.grants, $0.keepsBody) = (false, false) }
      exchange.receiver.eventLoop.scheduleTask(in: .seconds(3)) { exchange.answer(200, "at last") }
    }
    try await GatewayFixture.run(options: hasty, app: app) { fixture in
      let client = try fixture.client()
      try client.send("PUT / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1000000\r\n\r\n")
      _ = client.sendWhatFits([UInt8](repeating: 120, count: 100_000), atMost: 900_000)
      #expect(try client.readAnswer().body == "at last")
    }
  }

  @Test("a client that does not read its answer is cut off")
  func slowReader() async throws {
    let app = FakeApp.always(200, [], String(repeating: "x", count: 16 << 20))
    try await GatewayFixture.run(options: hasty, app: app) { fixture in
      let client = try fixture.client()
      try client.send("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      try await eventually("the request came") { fixture.app.requests.count == 1 }
      try await eventually("the connection was ended") { fixture.gateway.connectionCount == 0 }
    }
  }

  @Test("connections are bounded, in all and from one address; a refused one is told to retry")
  func connections() async throws {
    for isTotal in [true, false] {
      try await GatewayFixture.run(options: {
        if isTotal { $0.bounds.connectionsMax = 2 } else { $0.bounds.connectionsPerAddressMax = 2 }
      }) { fixture in
        let (first, second) = (try fixture.client(), try fixture.client())
        #expect(try first.get("/").status == 200)
        #expect(try second.get("/").status == 200)
        let third = try fixture.client()
        let refused = try third.readToEnd()
        #expect(refused.hasPrefix("HTTP/1.1 503 "))
        #expect(refused.contains("retry-after: 1\r\n"))
        first.close()
        try await eventually("the first one is gone") { fixture.gateway.connectionCount == 1 }
        #expect(try fixture.client().get("/").status == 200)
      }
    }
  }

  @Test("shutdown lets a request finish, closes waiting connections, and takes no new one")
  func shutdown() async throws {
    try await GatewayFixture.run(app: { _ in }) { fixture in
      let (busy, waiting) = (try fixture.client(), try fixture.client())
      try busy.send("GET /x HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      try await eventually("the request began") { fixture.app.requests.count == 1 }
      try await eventually("both are there") { fixture.gateway.connectionCount == 2 }
      async let stopped: Void = fixture.gateway.shutdown(grace: .seconds(20))
      #expect(try waiting.readToEnd() == "")
      #expect(throws: (any Error).self) { try fixture.client().get("/") }
      // The other loop is asked at the same time; nothing tells when it has heard.
      try await Task.sleep(for: .milliseconds(300))
      let exchange = fixture.app.requests[0]
      exchange.receiver.eventLoop.execute { exchange.answer(200, "last") }
      let answer = try busy.readToEnd()
      #expect(answer.contains("connection: close\r\n"))
      #expect(answer.hasSuffix("last"))
      await stopped
      #expect(fixture.gateway.connectionCount == 0)
    }
  }

  @Test("shutdown does not wait longer than it was told")
  func shutdownCutsShort() async throws {
    try await GatewayFixture.run(app: { _ in }) { fixture in
      let client = try fixture.client()
      try client.send("GET /x HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
      try await eventually("the request began") { fixture.app.requests.count == 1 }
      await fixture.gateway.shutdown(grace: .milliseconds(50))
      #expect(try client.readToEnd() == "")
      #expect(fixture.app.requests[0].state.isCancelled)
    }
  }
}

extension String {
  /// How often a text is in this one.
  fileprivate func components(_ text: String) -> Int { ranges(of: text).count }
}
