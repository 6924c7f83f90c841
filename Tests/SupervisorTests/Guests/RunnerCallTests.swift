// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import GuestAPI
import NIOCore
import Supervisor
import Testing

@Suite("Calls to a guest", .timeLimit(.minutes(1)))
struct RunnerCallTests {
  @Test("the first call starts the guest, which is told what it may know, and is answered")
  func firstCall() async throws {
    let params = Observed<JSONValue?>(nil)
    let fixture = try RunnerFixture(concurrency: 7) { guest in
      let seen = try guest.shake()
      params.update { $0 = seen }
      try guest.serve()
    }
    #expect(fixture.runner.published.current.state == .stopped)
    let seen = await fixture.get("/entries?q=1")
    #expect(seen.head?.status == 200)
    #expect(String(decoding: seen.body, as: UTF8.self) == "/entries?q=1")
    #expect(fixture.runner.published.current.state == .running)
    #expect(fixture.runner.published.current.pid == 1_000_001)
    let told = try #require(params.now)
    #expect(told["protocol"] == [1])
    #expect(
      told["app"]
        == ["id": "org.example.journal", "name": "Journal", "version": "1.4.0", "build": 14])
    #expect(
      told["limits"]
        == [
          "jsonBytes": 262_144, "frameBytes": 1_048_576, "toGuest": 7, "toHost": 64,
          "streamCredit": 262_144,
        ])
    #expect(told["grants"] == ["sqlite": ["main"]])
    await fixture.finish()
  }

  @Test("as many at once as agreed, the rest after; answers in any order find their call")
  func manyInFlight() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let waiting = Observed(0)
    let fixture = try RunnerFixture(concurrency: 4) { guest in
      try guest.shake()
      var requests: [Message.Request] = []
      for _ in 0..<4 { requests.append(try guest.nextRequest()) }
      waiting.update { $0 = 4 }
      goOn.wait()
      // Frames keep their order: had the host sent a fifth request, it would stand before this answer.
      try guest.ask(.number(1), "config.get")
      let answer = try guest.nextResponse()
      guard answer.id == .number(1) else { throw ScriptedGuest.Unexpected(found: "\(answer)") }
      for request in requests.reversed() {
        try guest.answer(request.id, body: Array((request.params["target"]?.string ?? "").utf8))
      }
      try guest.serve()
    }
    let calls = (0..<10).map { fixture.call("/\($0)") }
    await waiting.until { $0 == 4 }
    try await fixture.settle()
    goOn.signal()
    for (number, call) in calls.enumerated() {
      let seen = await call.receiver.seen.until { $0.isOver }
      #expect(String(decoding: seen.body, as: UTF8.self) == "/\(number)")
      #expect(seen.afterEnd == 0)
    }
    await fixture.finish()
  }

  @Test("one more than the queue holds is refused at once, with the time to come back")
  func fullQueue() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      goOn.wait()
      try guest.serve()
    }
    let first = fixture.call("/first")
    await fixture.starter.counts.until { $0.started == 1 }
    _ = await fixture.note(.started)
    let queued = (0..<256).map { fixture.call("/\($0)") }
    let refused = await fixture.get("/one-too-many")
    #expect(refused.failure?.code == "overloaded.queue")
    #expect(refused.failure?.data.first { $0.key == "retryAfter" }?.value == 1)
    goOn.signal()
    #expect(await first.receiver.seen.until { $0.isOver }.head?.status == 200)
    for call in queued { #expect(await call.receiver.seen.until { $0.isOver }.head?.status == 200) }
    await fixture.finish()
  }

  @Test("a call without a place for 30 s is refused")
  func queueTimeout() async throws {
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      try guest.idle()
    }
    let first = fixture.call("/first")
    _ = await fixture.note(.started)
    let second = fixture.call("/second")
    try await fixture.settle()
    try await fixture.advance(.seconds(30))
    #expect(!second.receiver.seen.now.isOver)
    try await fixture.advance(.seconds(1))
    let seen = await second.receiver.seen.until { $0.isOver }
    #expect(seen.failure?.code == "overloaded.queue_timeout")
    #expect(!first.receiver.seen.now.isOver)
    await fixture.finish()
    #expect(await first.receiver.seen.until { $0.isOver }.failure?.code == "upstream.stopped")
  }

  @Test("a client that leaves the queue costs the guest nothing")
  func cancelQueued() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      goOn.wait()
      try guest.serve()
    }
    let first = fixture.call("/first")
    _ = await fixture.note(.started)
    let second = fixture.call("/second")
    let third = fixture.call("/third")
    second.exchange.cancel()
    try await fixture.settle()
    goOn.signal()
    #expect(await first.receiver.seen.until { $0.isOver }.head?.status == 200)
    #expect(await third.receiver.seen.until { $0.isOver }.head?.status == 200)
    #expect(!second.receiver.seen.now.isOver, "nothing arrives after a cancel")
    await fixture.finish()
  }

  @Test("a cancelled call keeps its place until the guest has answered it")
  func cancelSent() async throws {
    let order = Observed<[String]>([])
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      let first = try guest.nextRequest()
      order.update { $0.append("request \(first.params["target"]?.string ?? "")") }
      let cancel = try guest.nextSignal().signal
      order.update { $0.append(cancel == .cancel(first.id) ? "cancel" : "\(cancel)") }
      goOn.wait()
      try guest.ask(.number(1), "config.get")
      order.update { $0.append("still one place") }
      _ = try guest.nextResponse()
      try guest.send(
        .response(.init(id: first.id, outcome: .error(.init(code: -32800, message: "as asked")))))
      try guest.serve()
    }
    let first = fixture.call("/first")
    await order.until { $0.count == 1 }
    first.exchange.cancel()
    await order.until { $0.count == 2 }
    let second = fixture.call("/second")
    try await fixture.settle()
    goOn.signal()
    #expect(await second.receiver.seen.until { $0.isOver }.head?.status == 200)
    #expect(order.now == ["request /first", "cancel", "still one place"])
    #expect(!first.receiver.seen.now.isOver, "nothing arrives after a cancel")
    await fixture.finish()
  }

  @Test(
    "no answer within 120 s: the client is told, the guest is cancelled, a late answer is dropped")
  func deadline() async throws {
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      let late = try guest.nextRequest()
      guard late.meta.deadlineMs == 120_000 else {
        throw ScriptedGuest.Unexpected(found: "\(late)")
      }
      guard try guest.nextSignal().signal == .cancel(late.id) else { return }
      try guest.answer(late.id, body: [1])
      try guest.serve()
    }
    let late = fixture.call("/late")
    _ = await fixture.note(.started)
    try await fixture.advance(.seconds(120))
    #expect(!late.receiver.seen.now.isOver)
    try await fixture.advance(.seconds(1))
    let seen = await late.receiver.seen.until { $0.isOver }
    #expect(seen.failure?.code == "deadline")
    #expect(await fixture.get("/next").head?.status == 200)
    #expect(late.receiver.seen.now.afterEnd == 0)
    await fixture.finish()
  }

  @Test("what a call waited in the queue is taken off the time the guest is given")
  func remainingDeadline() async throws {
    let deadlines = Observed<[Int64]>([])
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      for _ in 0..<2 {
        let request = try guest.nextRequest()
        deadlines.update { $0.append(request.meta.deadlineMs ?? -1) }
        goOn.wait()
        try guest.answer(request.id)
      }
      try guest.serve()
    }
    fixture.call("/first")
    await deadlines.until { $0.count == 1 }
    fixture.call("/second")
    try await fixture.settle()
    try await fixture.advance(.seconds(20))
    goOn.signal()
    await deadlines.until { $0.count == 2 }
    goOn.signal()
    #expect(deadlines.now == [120_000, 100_000])
    await fixture.finish()
  }

  @Test("a guest that holds every place with cancelled calls is ended after 30 s")
  func ignoredCancels() async throws {
    let fixture = try RunnerFixture(
      concurrency: 3,
      steps: [
        .script { guest in
          try guest.shake()
          try guest.waitForKill()
        },
        .script { guest in
          try guest.shake()
          try guest.serve()
        },
      ])
    let calls = (0..<3).map { fixture.call("/\($0)") }
    _ = await fixture.note(.started)
    for call in calls { call.exchange.cancel() }
    try await fixture.settle()
    try await fixture.tick()
    try await fixture.advance(.seconds(30))
    #expect(fixture.notes(.violation).isEmpty)
    try await fixture.advance(.seconds(1))
    #expect(await fixture.note(.violation).hasPrefix("cancel.ignored"))
    _ = await fixture.note(.crashed)
    try await fixture.advance(.seconds(1))
    #expect(await fixture.get("/again").head?.status == 200)
    await fixture.finish()
  }

  @Test("errors of the guest reach the client as such and end nobody")
  func appErrors() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      for number in 0... {
        let request = try guest.nextRequest()
        switch number {
        case 0:
          let error = RPCError(code: -32603, message: "secret detail")
          try guest.send(.response(.init(id: request.id, outcome: .error(error))))
        case 1: try guest.result(request.id, ["status": 99])
        case 2: try guest.result(request.id, ["status": 200, "headers": [["x", "a\r\nb: c"]]])
        case 3: try guest.result(request.id, nil)
        default:
          try guest.answer(request.id)
          return try guest.serve()
        }
      }
    }
    let error = await fixture.get()
    #expect(error.failure?.code == "upstream.app_error")
    #expect(error.failure?.message.contains("secret") == false)
    #expect(error.failure?.logDetail.contains("secret detail") == true)
    for _ in 0..<3 { #expect(await fixture.get().failure?.code == "upstream.answer") }
    #expect(await fixture.get().head?.status == 200)
    #expect(fixture.notes(.violation).isEmpty)
    await fixture.finish()
  }

  @Test("an app that does not handle http.request is never sent one")
  func noHandler() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake(handles: ["call", .string(String(repeating: "x", count: 200)), 7])
      guard try guest.nextRequest().method == "shutdown" else { return }
      try guest.exit(code: 0)
    }
    #expect(await fixture.get().failure?.code == "not_found.http")
    await fixture.finish()
    #expect(fixture.notes(.crashed).isEmpty)
  }

  @Test("what a guest asks is answered once each, errors and bodies included")
  func guestRequests() async throws {
    let answers = Observed<[Message.Response]>([])
    let bodies = Observed<[[UInt8]]>([])
    let fixture = try RunnerFixture(
      service: { request, reply in
        if request.method == "sql.query" {
          reply(.result(["n": request.params["n"] ?? nil], body: request.body))
          reply(.result(["twice": true], body: ByteBuffer()))
        } else {
          reply(.failure(HostError(.method, "", "no method \(request.method)")))
        }
      },
      { guest in
        try guest.shake()
        for number in 0..<100 {
          let request = Message.Request(
            id: .string("q-\(number)"), method: number % 2 == 0 ? "sql.query" : "no.such",
            params: ["n": .int(Int64(number))])
          try guest.send(.request(request), body: [UInt8(number)])
          let (message, body) = try guest.next()
          guard case .response(let response) = message else { return }
          answers.update { $0.append(response) }
          bodies.update { $0.append(body) }
        }
        try guest.serve()
      })
    await fixture.runner.startNow()
    let all = await answers.until { $0.count == 100 }
    for (number, answer) in all.enumerated() {
      #expect(answer.id == .string("q-\(number)"))
      if number % 2 == 0 {
        #expect(answer.outcome == .result(["n": .int(Int64(number))]))
        #expect(bodies.now[number] == [UInt8(number)])
      } else if case .error(let error) = answer.outcome {
        #expect(error.code == -32601)
      } else {
        Issue.record("\(answer)")
      }
    }
    await fixture.finish()
  }

  @Test("the 65th request at once is refused as overloaded, and an answer frees a place")
  func tooManyGuestRequests() async throws {
    let held = Observed<[@Sendable (ServiceReply) -> Void]>([])
    let codes = Observed<[String]>([])
    let fixture = try RunnerFixture(
      service: { request, reply in
        if request.method == "hold" { held.update { $0.append(reply) } }
        if request.method == "free" { reply(.result([:], body: ByteBuffer())) }
      },
      { guest in
        try guest.shake()
        for number in 0..<65 { try guest.ask(.number(Int64(number)), "hold") }
        for _ in 0..<65 {
          let response = try guest.nextResponse()
          if case .error(let error) = response.outcome {
            codes.update { $0.append("\(response.id) \(error.word) \(error.isRetryable)") }
          } else {
            codes.update { $0.append("ok") }
          }
        }
        try guest.ask(.number(7), "free")
        _ = try guest.nextResponse()
        codes.update { $0.append("free") }
        try guest.serve()
      })
    await fixture.runner.startNow()
    await codes.until { $0.count == 1 }
    #expect(codes.now == ["number(64) overloaded.in_flight true"])
    #expect(held.now.count == 64)
    for reply in held.now { reply(.result([:], body: ByteBuffer())) }
    let all = await codes.until { $0.last == "free" }
    #expect(all.filter { $0 == "ok" }.count == 64)
    await fixture.finish()
  }

  @Test("an answer of the host's that is larger than a frame becomes an error that says so")
  func largeReply() async throws {
    let words = Observed<[String]>([])
    let fixture = try RunnerFixture(
      service: { request, reply in
        let text = String(repeating: "x", count: request.method == "json" ? 262_144 : 10)
        let count = request.method == "body" ? 1_048_576 : 0
        reply(
          .result(["t": .string(text)], body: ByteBuffer(repeating: 0, count: count)))
      },
      { guest in
        try guest.shake()
        for method in ["json", "body", "small"] {
          try guest.ask(.string(method), method)
          let outcome = try guest.nextResponse().outcome
          if case .error(let error) = outcome { words.update { $0.append(error.word) } }
          if case .result = outcome { words.update { $0.append("ok") } }
        }
        try guest.serve()
      })
    await fixture.runner.startNow()
    #expect(await words.until { $0.count == 3 } == ["quota.frame", "quota.frame", "ok"])
    await fixture.finish()
  }
}
