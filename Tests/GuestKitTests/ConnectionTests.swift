// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import GuestKit
import Synchronization
import Testing

@Suite("A Swift guest on its socket", .timeLimit(.minutes(1)))
struct ConnectionTests {
  @Test("the handshake says what it speaks and handles, and refuses another protocol")
  func handshake() async throws {
    let host = try ScriptedHost { _, _ in .text("") }
    try host.request(0, "initialize", ["protocol": [1, 2], "limits": ["streamCredit": 262_144]])
    let (response, _) = try await host.nextResponse()
    guard case .result(let result) = response.outcome else {
      Issue.record("\(response)")
      return
    }
    #expect(result["protocol"] == 1)
    #expect(result["handles"] == ["http.request"])
    try host.request(1, "initialize", ["protocol": [2]])
    #expect(try await host.nextResponse().response.error?.word == "unsupported.protocol")
    try host.request(2, "ping")
    #expect(try await host.nextResponse().response.outcome == .result([:]))
    try host.request(3, "no.such")
    #expect(try await host.nextResponse().response.error?.code == -32601)
  }

  @Test("requests at once are answered as each is ready")
  func manyAtOnce() async throws {
    let host = try ScriptedHost { request, host in
      if request.path == "/slow" { _ = try await host.call("wait") }
      return .text(request.target)
    }
    try host.get(1, "/slow?a=1")
    guard case .request(let wait) = try await host.next().message else { return }
    for id in 2...9 { try host.get(Int64(id), "/\(id)") }
    var bodies: Set<String> = []
    for _ in 2...9 {
      bodies.insert(String(decoding: try await host.nextResponse().body, as: UTF8.self))
    }
    #expect(bodies == Set((2...9).map { "/\($0)" }))
    try host.send(.response(.init(id: wait.id, outcome: .result([:]))))
    let last = try await host.nextResponse()
    #expect(last.response.id == .number(1))
    #expect(String(decoding: last.body, as: UTF8.self) == "/slow?a=1")
  }

  @Test("a streamed request body is read whole, and each piece read is granted again")
  func upload() async throws {
    let host = try ScriptedHost { request, _ in
      .text("\(try await request.body.collect(max: 1 << 24).count)")
    }
    try host.get(1, "/", stream: 5, body: [1, 2, 3])
    #expect(try await host.nextSignal().signal == .credit(stream: 5, bytes: 3))
    for _ in 0..<20 {
      try host.signal(
        .data(stream: 5, end: false, failure: nil), body: Array(repeating: 0, count: 60_000))
      #expect(try await host.nextSignal().signal == .credit(stream: 5, bytes: 60_000))
    }
    try host.signal(.data(stream: 5, end: true, failure: nil))
    #expect(String(decoding: try await host.nextResponse().body, as: UTF8.self) == "1200003")
  }

  @Test("a body that breaks off fails its reader")
  func brokenUpload() async throws {
    let host = try ScriptedHost { request, _ in
      .text("\(try await request.body.collect().count)")
    }
    try host.get(1, "/", stream: 5)
    try host.signal(.data(stream: 5, end: true, failure: "the client went away"))
    #expect(try await host.nextResponse().response.error != nil)
  }

  @Test("a large answer is streamed within the credit, and stops when it is told to")
  func download() async throws {
    let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
    let host = try ScriptedHost { _, _ in HTTPResponse(body: .bytes(body)) }
    try host.request(0, "initialize", ["protocol": [1], "limits": ["streamCredit": 100_000]])
    _ = try await host.nextResponse()
    try host.get(1, "/")
    let head = try await host.nextResponse()
    let stream = try #require(head.response.stream)
    var (found, credit) = (head.body, 100_000 - head.body.count)
    while true {
      let (signal, piece) = try await host.nextSignal()
      guard case .data(stream, let end, nil) = signal else {
        Issue.record("\(signal)")
        return
      }
      found += piece
      credit -= piece.count
      #expect(credit >= 0)
      if end { break }
      if credit == 0 {
        try host.signal(.credit(stream: stream, bytes: 90_001))
        credit = 90_001
      }
    }
    #expect(found == body)

    try host.get(2, "/")
    let second = try #require(try await host.nextResponse().response.stream)
    try host.signal(.stop(stream: second))
    while true {
      if case .data(second, true, _) = try await host.nextSignal().signal { break }
    }
  }

  @Test(
    "what the app costs comes as lines and their exact sums; an answer without them is an error")
  func cost() async throws {
    let host = try ScriptedHost { _, host in
      do {
        let cost = try await host.usage.cost()
        return .text("\(cost.lines.map(\.sku)) \(cost.totals["EUR"] ?? 0) \(cost.since)")
      } catch {
        return .text("unexpected answer")
      }
    }
    let line: JSONValue = [
      "sku": "cpu", "title": "CPU", "priceVersion": 1, "currency": "EUR", "micros": 41,
      "quantity": 7, "unit": "us", "pricingUnit": "core-hour", "per": 3_600_000_000, "meters": [],
    ]
    let month: JSONValue = [
      "since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z", "lines": [line, line],
      "totals": [["currency": "EUR", "micros": 82]],
    ]
    for (id, answer) in [(1, month), (2, ["lines": []])] as [(Int64, JSONValue)] {
      try host.get(id, "/")
      guard case .request(let asked) = try await host.next().message else { return }
      #expect(asked.method == "usage.cost")
      try host.send(.response(.init(id: asked.id, outcome: .result(answer))))
      let text = String(decoding: try await host.nextResponse().body, as: UTF8.self)
      #expect(
        text == (id == 1 ? #"["cpu", "cpu"] 82 2026-03-01T00:00:00Z"# : "unexpected answer"))
    }
  }

  @Test("a cancelled request is answered once, as cancelled")
  func cancel() async throws {
    let host = try ScriptedHost { _, host in
      _ = try? await host.call("started")
      try await Task.sleep(for: .seconds(3_600))
      return .text("never")
    }
    try host.get(1, "/")
    guard case .request(let started) = try await host.next().message else { return }
    try host.send(.response(.init(id: started.id, outcome: .result([:]))))
    try host.signal(.cancel(.number(1)))
    let (response, _) = try await host.nextResponse()
    #expect(response.id == .number(1))
    #expect(response.error?.code == -32800)
  }

  @Test("an answer the host would end the guest for becomes an error instead")
  func oversized() async throws {
    let host = try ScriptedHost { _, _ in
      HTTPResponse(
        headers: [("x", String(repeating: "x", count: 300_000))], body: .bytes([]))
    }
    try host.get(1, "/")
    #expect(try await host.nextResponse().response.error?.word == "internal")
  }

  @Test("when the host hangs up, what waits for it fails, and so does what comes after")
  func hangUp() async throws {
    let (outcomes, continuation) = AsyncStream.makeStream(of: String.self)
    let host = try ScriptedHost { _, host in
      for name in ["first", "second", "third"] {
        do {
          _ = try await host.call(name)
          continuation.yield("answered")
        } catch {
          if case .disconnected = error as? GuestError { continuation.yield("disconnected") }
        }
      }
      continuation.finish()
      return .text("")
    }
    try host.get(1, "/")
    _ = try await host.next()
    host.hangUp()
    var all: [String] = []
    for await outcome in outcomes { all.append(outcome) }
    #expect(all == ["disconnected", "disconnected", "disconnected"])
  }

  @Test("a call that is larger than a frame is refused before it is sent")
  func oversizedCall() async throws {
    let host = try ScriptedHost { _, host in
      do {
        _ = try await host.call("x", ["t": .string(String(repeating: "x", count: 262_144))])
        return .text("sent")
      } catch {
        guard case .refused(let reason) = error as? GuestError else { return .text("\(error)") }
        return .text(reason.word)
      }
    }
    try host.get(1, "/")
    #expect(String(decoding: try await host.nextResponse().body, as: UTF8.self) == "params.size")
  }
}

extension Message.Response {
  var error: RPCError? { if case .error(let error) = outcome { error } else { nil } }
}
