// SPDX-License-Identifier: Apache-2.0
import Dispatch
import GuestAPI
import NIOCore
import Supervisor
import Testing

@Suite("Streams, both ways", .timeLimit(.minutes(1)))
struct RunnerStreamTests {
  static let size = 5_000_000

  /// Reads a streamed request body whole, granting what it reads.
  private static func readBody(
    _ guest: ScriptedGuest, stream: Int64, first: [UInt8], grant: Bool = true
  ) throws -> [UInt8] {
    var body = first
    if grant, !first.isEmpty { try guest.send(.credit(stream: stream, bytes: first.count)) }
    while true {
      let (signal, piece) = try guest.nextSignal()
      guard case .data(stream, let end, nil) = signal else {
        throw ScriptedGuest.Unexpected(found: "\(signal)")
      }
      body += piece
      if end { return body }
      if grant, !piece.isEmpty { try guest.send(.credit(stream: stream, bytes: piece.count)) }
    }
  }

  @Test("a large upload arrives whole, however slowly the guest grants it")
  func upload() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let (message, first) = try guest.next()
      guard case .request(let request) = message, let stream = request.stream else { return }
      let body = try Self.readBody(guest, stream: stream, first: first)
      let isSame = body == Pattern.bytes(count: Self.size)
      try guest.answer(request.id, status: isSame ? 200 : 500, body: Array("\(body.count)".utf8))
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    let (_, exchange) = fixture.call(
      body: Pattern.bytes(count: 1_000), isComplete: false, to: receiver)
    #expect(await receiver.upload(Self.size, through: exchange, alreadySent: 1_000) == Self.size)
    let seen = await receiver.seen.until { $0.isOver }
    #expect(seen.head?.status == 200)
    #expect(String(decoding: seen.body, as: UTF8.self) == "\(Self.size)")
    await fixture.finish()
  }

  @Test("a body that gathered while its guest started is sent on in order")
  func uploadBeforeStart() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let (message, first) = try guest.next()
      guard case .request(let request) = message, let stream = request.stream else { return }
      let body = try Self.readBody(guest, stream: stream, first: first)
      try guest.answer(request.id, status: body == Pattern.bytes(count: Self.size) ? 200 : 500)
      try guest.serve()
    }
    fixture.starter.gate.update { $0 = false }
    let receiver = RecordingReceiver()
    let (_, exchange) = fixture.call(isComplete: false, to: receiver)
    async let sent = receiver.upload(Self.size, through: exchange)
    await receiver.seen.until { $0.window == 0 }
    try await fixture.settle()
    fixture.starter.gate.update { $0 = true }
    #expect(await sent == Self.size)
    #expect(await receiver.seen.until { $0.isOver }.head?.status == 200)
    await fixture.finish()
  }

  @Test("a guest that grants nothing holds the client at the first credit")
  func uploadWithoutGrants() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let received = Observed(0)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      guard case (.request(let request), let first) = try guest.next(), let stream = request.stream
      else { return }
      var count = first.count
      while count < 262_144 { count += try guest.nextSignal().body.count }
      received.update { [count] in $0 = count }
      goOn.wait()
      try guest.send(.credit(stream: stream, bytes: 1))
      let one = try guest.nextSignal()
      received.update { $0 = 262_144 + one.body.count }
      goOn.wait()
      try guest.send(.stop(stream: stream))
      let last = try guest.nextSignal()
      guard last.signal == .data(stream: stream, end: true, failure: nil), last.body.isEmpty else {
        throw ScriptedGuest.Unexpected(found: "\(last)")
      }
      try guest.answer(request.id, body: [1])
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    let (_, exchange) = fixture.call(isComplete: false, to: receiver)
    async let sent = receiver.upload(Self.size, through: exchange)
    await received.until { $0 == 262_144 }
    try await fixture.settle()
    #expect(receiver.seen.now.granted == 0)
    #expect(receiver.seen.now.window == 0)
    goOn.signal()
    await received.until { $0 == 262_145 }
    #expect(receiver.seen.now.granted == 1)
    goOn.signal()
    #expect(await sent == 262_145)
    let seen = await receiver.seen.until { $0.isOver }
    #expect(seen.isStopped)
    #expect(seen.body == [1])
    await fixture.finish()
  }

  @Test("a guest that grants the world and reads nothing cannot fill the host")
  func greedyGrants() async throws {
    let goOn = DispatchSemaphore(value: 0)
    let granted = Observed(0)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      guard case (.request(let request), let first) = try guest.next(), let stream = request.stream
      else { return }
      for _ in 0..<1_000 { try guest.send(.credit(stream: stream, bytes: Int(Int32.max))) }
      granted.update { $0 = 1 }
      goOn.wait()
      var count = first.count
      while true {
        let (signal, piece) = try guest.nextSignal()
        count += piece.count
        if case .data(_, true, _) = signal { break }
      }
      try guest.answer(request.id, body: Array("\(count)".utf8))
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    let (_, exchange) = fixture.call(isComplete: false, to: receiver)
    let total = 40_000_000
    async let sent = receiver.upload(total, through: exchange)
    await granted.until { $0 == 1 }
    // The client is as fast as memory; it must come to a stop long before the body's end.
    var last = -1
    while receiver.seen.now.granted != last || receiver.seen.now.window > 0 {
      last = receiver.seen.now.granted
      for _ in 0..<50 { try await fixture.settle() }
    }
    #expect(receiver.seen.now.granted < 4 << 20, "the host took \(receiver.seen.now.granted) bytes")
    goOn.signal()
    #expect(await sent == total)
    let seen = await receiver.seen.until { $0.isOver }
    #expect(String(decoding: seen.body, as: UTF8.self) == "\(total)", "nothing is lost or stuck")
    await fixture.finish()
  }

  @Test("a large download arrives whole and in order")
  func download() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      try Self.stream(Pattern.bytes(count: Self.size), to: request.id, from: guest)
      try guest.serve()
    }
    let seen = await fixture.get()
    #expect(seen.isComplete)
    #expect(seen.body == Pattern.bytes(count: Self.size))
    #expect(seen.afterEnd == 0)
    await fixture.finish()
  }

  /// Streams an answer within the credit it is granted.
  private static func stream(_ body: [UInt8], to id: RequestID, from guest: ScriptedGuest) throws {
    var credit = 262_144
    var rest = body[...]
    try guest.answer(id, stream: 11, body: Array(rest.prefix(500)))
    credit -= min(500, rest.count)
    rest = rest.dropFirst(500)
    while !rest.isEmpty {
      while credit == 0 {
        guard case .credit(11, let bytes) = try guest.nextSignal().signal else { return }
        credit += bytes
      }
      let piece = rest.prefix(min(credit, 65_536))
      rest = rest.dropFirst(piece.count)
      credit -= piece.count
      try guest.send(.data(stream: 11, end: rest.isEmpty, failure: nil), body: Array(piece))
    }
  }

  @Test("a client that does not read holds the guest at the first credit")
  func slowClient() async throws {
    let sent = Observed(0)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      try guest.answer(request.id, stream: 1, body: Array(repeating: 1, count: 144))
      for _ in 0..<4 {
        try guest.send(
          .data(stream: 1, end: false, failure: nil), body: Array(repeating: 1, count: 65_500))
      }
      // Frames keep their order: a grant would stand before this answer.
      try guest.ask(.number(1), "config.get")
      guard try guest.nextResponse().id == .number(1) else { return }
      sent.update { $0 = 262_144 }
      guard case .credit(1, let bytes) = try guest.nextSignal().signal else { return }
      sent.update { $0 += bytes }
      try guest.send(
        .data(stream: 1, end: true, failure: nil), body: Array(repeating: 2, count: bytes))
      try guest.serve()
    }
    let receiver = RecordingReceiver(reads: false)
    fixture.call(to: receiver)
    await sent.until { $0 == 262_144 }
    await receiver.seen.until { $0.body.count == 262_144 }
    receiver.startReading()
    let total = await sent.until { $0 > 262_144 }
    let seen = await receiver.seen.until { $0.isOver }
    #expect(seen.body.count == total)
    await fixture.finish()
  }

  @Test(
    "a client that leaves a streamed answer: the guest is told to stop, its place is freed at the end"
  )
  func cancelAnswer() async throws {
    let words = Observed<[String]>([])
    let goOn = DispatchSemaphore(value: 0)
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      try guest.answer(request.id, stream: 1, body: [1])
      let stop = try guest.nextSignal().signal
      words.update { $0.append("\(stop == .stop(stream: 1))") }
      goOn.wait()
      try guest.send(
        .data(stream: 1, end: false, failure: nil), body: Array(repeating: 0, count: 1_000))
      try guest.ask(.number(1), "config.get")
      words.update { $0.append("place still held") }
      _ = try guest.nextResponse()
      try guest.send(.data(stream: 1, end: true, failure: "stopped"))
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    let (_, exchange) = fixture.call(to: receiver)
    await receiver.seen.until { $0.head != nil }
    exchange.cancel()
    await words.until { $0 == ["true"] }
    let second = fixture.call("/second")
    try await fixture.settle()
    goOn.signal()
    #expect(await second.receiver.seen.until { $0.isOver }.head?.status == 200)
    #expect(words.now.last == "place still held")
    #expect(!receiver.seen.now.isOver)
    #expect(receiver.seen.now.body == [1])
    await fixture.finish()
  }

  @Test("an answer before the upload's end tells both sides that the rest is not wanted")
  func earlyAnswer() async throws {
    let end = Observed<StreamSignal?>(nil)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      try guest.answer(request.id, status: 413)
      let signal = try guest.nextSignal().signal
      end.update { $0 = signal }
      // They may have crossed on the way.
      try guest.send(.credit(stream: request.stream ?? 0, bytes: 10))
      try guest.send(.stop(stream: request.stream ?? 0))
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    fixture.call(isComplete: false, to: receiver)
    let seen = await receiver.seen.until { $0.isOver }
    #expect(seen.head?.status == 413)
    #expect(seen.isStopped)
    #expect(seen.afterEnd == 0, "the word to stop comes before the answer's end")
    #expect(await end.until { $0 != nil } == .data(stream: 1, end: true, failure: "answered"))
    #expect(await fixture.get().head?.status == 200)
    await fixture.finish()
  }

  @Test("a streamed answer that ends before the upload does as much")
  func earlyStreamedAnswer() async throws {
    let end = Observed<StreamSignal?>(nil)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      try guest.answer(request.id, stream: 5)
      try guest.send(.data(stream: 5, end: true, failure: nil), body: [9])
      let signal = try guest.nextSignal().signal
      end.update { $0 = signal }
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    fixture.call(isComplete: false, to: receiver)
    let seen = await receiver.seen.until { $0.isOver }
    #expect(seen.body == [9])
    #expect(seen.isStopped)
    #expect(seen.afterEnd == 0)
    #expect(await end.until { $0 != nil } == .data(stream: 1, end: true, failure: "answered"))
    await fixture.finish()
  }

  @Test("a client that breaks off its upload: the guest is told in the stream")
  func brokenUpload() async throws {
    let end = Observed<StreamSignal?>(nil)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      let signal = try guest.nextSignal().signal
      end.update { $0 = signal }
      try guest.answer(request.id, status: 400)
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    let (_, exchange) = fixture.call(isComplete: false, to: receiver)
    _ = await fixture.note(.started)
    exchange.abortBody()
    #expect(
      await end.until { $0 != nil }
        == .data(stream: 1, end: true, failure: "the client went away"))
    #expect(await receiver.seen.until { $0.isOver }.head?.status == 400)
    await fixture.finish()
  }

  @Test("a guest that breaks off its answer fails the call, not itself")
  func brokenAnswer() async throws {
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      try guest.answer(request.id, stream: 1, body: [1])
      try guest.send(.data(stream: 1, end: true, failure: "the file is gone"))
      try guest.serve()
    }
    let seen = await fixture.get()
    #expect(seen.failure?.code == "upstream.aborted")
    #expect(!seen.isComplete)
    #expect(await fixture.get().head?.status == 200)
    #expect(fixture.notes(.violation).isEmpty)
    await fixture.finish()
  }

  @Test("an answer that is refused is drained to its end, and holds its place until then")
  func refusedAnswer() async throws {
    let fixture = try RunnerFixture(concurrency: 1) { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      try guest.result(request.id, ["status": 42], stream: 1, body: [1])
      guard try guest.nextSignal().signal == .stop(stream: 1) else { return }
      try guest.send(
        .data(stream: 1, end: false, failure: nil), body: Array(repeating: 0, count: 262_143))
      try guest.send(.data(stream: 1, end: true, failure: nil))
      try guest.serve()
    }
    #expect(await fixture.get().failure?.code == "upstream.answer")
    #expect(await fixture.get().head?.status == 200)
    await fixture.finish()
  }

  @Test("a body no method takes is refused, not the guest; it may end and come again")
  func streamedRequest() async throws {
    let words = Observed<[String]>([])
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      for round in 0..<200 {
        let id = RequestID.number(Int64(round))
        try guest.ask(id, "objects.put", stream: 3)
        guard try guest.nextSignal().signal == .stop(stream: 3) else { return }
        if case .error(let error) = try guest.nextResponse().outcome {
          words.update { $0.append(error.word) }
        }
        try guest.send(
          .data(stream: 3, end: false, failure: nil), body: Array(repeating: 0, count: 1_000))
        try guest.send(.data(stream: 3, end: true, failure: nil))
      }
      try guest.serve()
    }
    await fixture.runner.startNow()
    let all = await words.until { $0.count == 200 }
    #expect(Set(all) == ["params.stream"])
    #expect(await fixture.get().head?.status == 200)
    await fixture.finish()
  }

  @Test("an upload that moves is not cut off by the time an answer may take")
  func longUpload() async throws {
    let received = Observed(0)
    let fixture = try RunnerFixture { guest in
      try guest.shake()
      let request = try guest.nextRequest()
      for _ in 0..<5 {
        let piece = try guest.nextSignal().body
        received.update { $0 += piece.count }
      }
      try guest.answer(request.id)
      try guest.serve()
    }
    let receiver = RecordingReceiver()
    let (_, exchange) = fixture.call(isComplete: false, to: receiver)
    _ = await fixture.note(.started)
    for number in 1...5 {
      receiver.eventLoop.execute {
        exchange.send(body: ByteBuffer(bytes: [1]), isComplete: number == 5)
      }
      await received.until { $0 == number }
      if number < 5 { try await fixture.advance(.seconds(100)) }
    }
    #expect(await receiver.seen.until { $0.isOver }.head?.status == 200)
    await fixture.finish()
  }
}
