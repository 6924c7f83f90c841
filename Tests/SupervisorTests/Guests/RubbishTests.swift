// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import GuestAPI
import NIOCore
import Supervisor
import Testing

/// What a guest may send that it must not. Each time: the guest is ended, the reason is named in its log, in `ps` and
/// in the error its callers see, and the next guest works.
@Suite("A guest that sends rubbish is ended, by name", .timeLimit(.minutes(1)))
struct RubbishTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var reason: ProtocolViolation.Reason
    var act: @Sendable (ScriptedGuest, Message.Request) throws -> Void
    var testDescription: String { name }
  }

  private static func raw(_ total: UInt32, _ json: UInt32, _ rest: [UInt8] = []) -> [UInt8] {
    [total, json].flatMap { value in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    } + rest
  }

  private static func text(_ name: String, _ reason: ProtocolViolation.Reason, _ json: String)
    -> Case
  {
    Case(name: name, reason: reason) { guest, _ in try guest.send(json: json) }
  }

  static let frames: [Case] = [
    Case(name: "a length of nothing", reason: .frameLength) { guest, _ in
      try guest.send(raw: raw(0, 0))
    },
    Case(name: "a length too short for JSON", reason: .frameLength) { guest, _ in
      try guest.send(raw: raw(5, 1, [0x7b]))
    },
    Case(name: "a length over 1 MiB", reason: .frameLength) { guest, _ in
      try guest.send(raw: raw(1_048_577, 2, Array("{}".utf8)))
    },
    Case(name: "a length of 4 GiB", reason: .frameLength) { guest, _ in
      try guest.send(raw: raw(.max, .max))
    },
    Case(name: "text instead of a frame", reason: .frameLength) { guest, _ in
      try guest.send(raw: Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
    },
    Case(name: "JSON longer than its frame", reason: .frameJSONLength) { guest, _ in
      try guest.send(raw: raw(10, 7))
    },
    Case(name: "JSON over 256 KiB", reason: .frameJSONLength) { guest, _ in
      try guest.send(raw: raw(400_000, 262_145))
    },
    Case(name: "no JSON", reason: .frameJSONLength) { guest, _ in try guest.send(raw: raw(10, 0)) },
  ]

  static let texts: [Case] = [
    text("not JSON", .jsonInvalid, "hello!"),
    text("duplicate keys", .jsonInvalid, #"{"jsonrpc":"2.0","id":1,"id":2,"result":{}}"#),
    text(
      "duplicate keys in disguise", .jsonInvalid,
      #"{"jsonrpc":"2.0","id":1,"\u0069d":2,"result":{}}"#),
    text("too deep", .jsonInvalid, String(repeating: "[", count: 40)),
    text("not UTF-8", .jsonInvalid, "{\"a\":\"\\ud800\"}"),
    text("not an object", .messageInvalid, "[]"),
    text("no version", .messageInvalid, #"{"id":1,"result":{}}"#),
    text("a batch", .messageInvalid, #"[{"jsonrpc":"2.0","method":"x"}]"#),
    text("an id of the wrong kind", .messageInvalid, #"{"jsonrpc":"2.0","id":1.5,"result":{}}"#),
    text(
      "credit of nothing", .messageInvalid,
      #"{"jsonrpc":"2.0","method":"$/credit","params":{"stream":1,"bytes":0}}"#),
    text(
      "an answer to an id never used", .responseUnknownID, #"{"jsonrpc":"2.0","id":77,"result":{}}"#
    ),
    text(
      "an answer to an id that is text", .responseUnknownID,
      #"{"jsonrpc":"2.0","id":"1","result":{}}"#),
    text(
      "a second answer to initialize", .responseUnknownID,
      #"{"jsonrpc":"2.0","id":0,"result":{"protocol":1}}"#),
    text(
      "data of a stream never opened", .streamUnknown,
      #"{"jsonrpc":"2.0","method":"$/data","params":{"stream":9,"end":false}}"#),
  ]

  static let exchanges: [Case] = [
    Case(name: "a reply before its request", reason: .responseUnknownID) { guest, request in
      guard case .number(let id) = request.id else { return }
      try guest.answer(.number(id + 2))
    },
    Case(name: "an answer twice", reason: .responseUnknownID) { guest, request in
      try guest.answer(request.id)
      try guest.answer(request.id)
    },
    Case(name: "a second answer while the first streams", reason: .responseUnknownID) {
      guest, request in
      try guest.answer(request.id, stream: 1)
      try guest.answer(request.id)
    },
    Case(name: "a second answer after a refused stream", reason: .responseUnknownID) {
      guest, request in
      try guest.result(request.id, ["status": 1], stream: 1)
      try guest.answer(request.id)
    },
    Case(name: "a request under an id in flight", reason: .requestDuplicateID) { guest, _ in
      try guest.ask(.string("a"), "hold")
      try guest.ask(.string("a"), "hold")
    },
    Case(name: "data after the end", reason: .streamUnknown) { guest, request in
      try guest.answer(request.id, stream: 1)
      try guest.send(.data(stream: 1, end: true, failure: nil))
      try guest.send(.data(stream: 1, end: true, failure: nil))
    },
    Case(name: "a stream number that is open", reason: .streamUnknown) { guest, request in
      try guest.answer(request.id, stream: 1)
      try guest.ask(.number(1), "objects.put", stream: 1)
    },
    Case(name: "more than the first credit", reason: .streamCredit) { guest, request in
      try guest.answer(request.id, stream: 1, body: Array(repeating: 0, count: 262_144))
      try guest.send(.data(stream: 1, end: false, failure: nil), body: [0])
    },
    Case(name: "more than the first credit in one piece", reason: .streamCredit) { guest, request in
      try guest.answer(request.id, stream: 1, body: Array(repeating: 0, count: 262_145))
    },
    Case(name: "more than the credit in a body nobody takes", reason: .streamCredit) { guest, _ in
      try guest.ask(.number(1), "objects.put", stream: 1)
      try guest.send(
        .data(stream: 1, end: false, failure: nil), body: Array(repeating: 0, count: 200_000))
      try guest.send(
        .data(stream: 1, end: false, failure: nil), body: Array(repeating: 0, count: 200_000))
    },
    Case(name: "streams without end that no method takes", reason: .streamUnknown) { guest, _ in
      for number in 0..<65 {
        try guest.ask(.number(Int64(number)), "objects.put", stream: Int64(number))
      }
    },
  ]

  @Test("after the handshake, with a call in flight", arguments: frames + texts + exchanges)
  func rubbish(case rubbish: Case) async throws {
    let fixture = try RunnerFixture(
      service: { _, _ in },
      steps: [
        .script { guest in
          try guest.shake()
          let request = try guest.nextRequest()
          _ = try guest.nextRequest()
          try rubbish.act(guest, request)
          try guest.waitForKill()
        },
        .script { guest in
          try guest.shake()
          try guest.serve()
        },
      ])
    // Not read by the client, so that no credit is granted on the way.
    let first = fixture.call("/first", to: RecordingReceiver(reads: false))
    let second = fixture.call("/second", to: RecordingReceiver(reads: false))
    let failed = await second.receiver.seen.until { $0.isOver }
    #expect(failed.failure?.code == "upstream.\(rubbish.reason.rawValue)")
    let told = await first.receiver.seen.until { $0.isOver }
    #expect(told.isComplete || told.failure != nil)
    #expect(await fixture.note(.violation).hasPrefix(rubbish.reason.rawValue))
    #expect(await fixture.note(.crashed).contains(rubbish.reason.rawValue))
    let published = fixture.runner.published.current
    #expect(published.lastFailure?.hasPrefix(rubbish.reason.rawValue) == true)
    try await fixture.advance(.seconds(1))
    #expect(await fixture.get("/next").head?.status == 200)
    #expect(fixture.notes(.violation).count == 1)
    await fixture.finish()
  }

  static let handshakes: [Case] = [
    Case(name: "a request before the answer to initialize", reason: .handshakeOrder) { guest, _ in
      try guest.ask(.number(1), "config.get")
    },
    Case(name: "a notification before it", reason: .handshakeOrder) { guest, _ in
      try guest.send(.credit(stream: 1, bytes: 1))
    },
    Case(name: "an answer to something else before it", reason: .handshakeOrder) { guest, _ in
      try guest.result(.number(1), [:])
    },
    Case(name: "an error as the answer", reason: .handshakeProtocol) { guest, request in
      try guest.send(
        .response(.init(id: request.id, outcome: .error(.init(code: 1, message: "no")))))
    },
    Case(name: "a protocol of the future", reason: .handshakeProtocol) { guest, request in
      try guest.result(request.id, ["protocol": 2])
    },
    Case(name: "no protocol", reason: .handshakeProtocol) { guest, request in
      try guest.result(request.id, [:])
    },
    Case(name: "a protocol that is no integer", reason: .handshakeProtocol) { guest, request in
      try guest.result(request.id, ["protocol": 1.0])
    },
    Case(name: "rubbish at once", reason: .frameLength) { guest, _ in
      try guest.send(raw: Array(repeating: 0xff, count: 100))
    },
  ]

  @Test("in the handshake", arguments: handshakes)
  func handshake(case rubbish: Case) async throws {
    let fixture = try RunnerFixture { guest in
      try rubbish.act(guest, try guest.nextRequest())
      try guest.waitForKill()
    }
    let seen = await fixture.get()
    #expect(seen.failure?.code == "upstream.start_failed")
    #expect(await fixture.note(.violation).hasPrefix(rubbish.reason.rawValue))
    _ = await fixture.note(.startFailed)
    #expect(fixture.notes(.started).isEmpty)
    await fixture.finish()
  }

  @Test("a frame that never ends is waited for 30 s; a guest that finishes frames never is")
  func unfinishedFrame() async throws {
    let sent = Observed(0)
    let step = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(service: RunnerFixture.echo) { guest in
      try guest.shake()
      let frame = Frame.encode(
        json: Message.request(.init(id: .number(1), method: "config.get", params: [:])).encoded)
      // Always in the middle of a frame, but each one ends.
      try guest.send(raw: Array(frame.prefix(20)))
      for round in 1...5 {
        step.wait()
        try guest.send(raw: Array(frame.dropFirst(20)) + Array(frame.prefix(20)))
        _ = try guest.nextResponse()
        sent.update { $0 = round }
      }
      try guest.waitForKill()
    }
    await fixture.runner.startNow()
    for round in 1...5 {
      try await fixture.advance(.seconds(25))
      step.signal()
      await sent.until { $0 == round }
    }
    #expect(fixture.notes(.violation).isEmpty)
    try await fixture.settle()
    try await fixture.advance(.seconds(30))
    #expect(fixture.notes(.violation).isEmpty)
    try await fixture.advance(.seconds(1))
    #expect(await fixture.note(.violation).hasPrefix("frame.timeout"))
    await fixture.finish()
  }

  @Test("a guest that asks and never reads is held back, then ended")
  func neverReads() async throws {
    let written = Observed((bytes: 0, isBlocked: false))
    let fixture = try RunnerFixture(
      service: { _, reply in reply(.result([:], body: ByteBuffer(repeating: 7, count: 60_000))) },
      { guest in
        try guest.shake()
        var bytes = 0
        for number in 0..<2_000_000 {
          let request = Message.request(
            .init(id: .number(Int64(number)), method: "sql.query", params: [:]))
          var rest = Frame.encode(json: request.encoded)
          while !rest.isEmpty {
            let count = try guest.sendWithoutWaiting(rest)
            bytes += count
            rest.removeFirst(count)
            if count == 0 {
              written.update { [bytes] in $0 = (bytes, true) }
              usleep(1_000)
            }
          }
        }
      })
    await fixture.runner.startNow()
    await written.until { $0.isBlocked }
    while fixture.notes(.violation).isEmpty { try await fixture.advance(.seconds(31)) }
    #expect(await fixture.note(.violation).hasPrefix("reader.stalled"))
    #expect(written.now.bytes < 8 << 20, "the host read \(written.now.bytes) bytes of requests")
    await fixture.finish()
  }

  @Test("100,000 tiny requests are all answered, 64 at a time")
  func tinyRequests() async throws {
    let answered = Observed(0)
    let count = 100_000
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let reading = DispatchSemaphore(value: 0)
      Thread.detachNewThread {
        for number in 1...count {
          guard (try? guest.nextResponse()) != nil else { break }
          if number == count { answered.update { $0 = number } }
        }
        reading.signal()
      }
      for number in 0..<count { try guest.ask(.number(Int64(number)), "p") }
      reading.wait()
      try guest.serve()
    }
    await fixture.runner.startNow()
    #expect(await answered.until { $0 == count } == count)
    #expect(fixture.notes(.violation).isEmpty)
    #expect(await fixture.get().head?.status == 200)
    await fixture.finish()
  }

  @Test("storms of cancels, credits and stops for nothing change nothing")
  func storms() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let storm =
        [
          StreamSignal.cancel(.number(1)), .cancel(.string("x")), .stop(stream: 1),
          .credit(stream: 1, bytes: 1_000_000),
        ].flatMap { Frame.encode(json: $0.encoded) }
        + Frame.encode(
          json: Array(#"{"jsonrpc":"2.0","method":"$/later","params":{}}"#.utf8),
          body: Array(repeating: 0, count: 100))
      let many = Array(repeating: storm, count: 100).flatMap { $0 }
      for _ in 0..<200 { try guest.send(raw: many) }
      try guest.serve()
    }
    #expect(await fixture.get().head?.status == 200)
    #expect(fixture.notes(.violation).isEmpty)
    await fixture.finish()
  }

  @Test(
    "a guest that disappears after any byte of a valid exchange leaves one failure and no trace")
  func abruptEnds() async throws {
    let json = Array(
      #"{"jsonrpc":"2.0","id":1,"result":{"status":200,"headers":[]},"stream":4}"#.utf8)
    let whole =
      Frame.encode(json: json, body: [1, 2, 3])
      + Frame.encode(
        json: StreamSignal.data(stream: 4, end: false, failure: nil).encoded, body: [4])
    for count in 0...whole.count {
      let fixture = try RunnerFixture { guest in
        try guest.shake()
        _ = try guest.nextRequest()
        try guest.send(raw: Array(whole.prefix(count)))
        try guest.exit(code: 1)
      }
      let seen = await fixture.get()
      #expect(seen.failure?.code == "upstream.crashed", "after \(count) bytes")
      #expect(seen.afterEnd == 0)
      #expect(seen.body == Array([1, 2, 3, 4].prefix(seen.body.count)))
      #expect(fixture.notes(.violation).isEmpty, "after \(count) bytes")
      await fixture.finish()
    }
  }
}
