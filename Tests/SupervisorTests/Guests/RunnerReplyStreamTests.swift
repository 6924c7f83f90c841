// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import NIOCore
import Supervisor
import Synchronization
import Testing

/// A streamed answer that the test feeds, and what its receiver asked of it.
private final class FedReply: StreamedReply {
  let granted = Observed<[Int]>([])
  let stops = Observed(0)
  private let deliver = Mutex<(@Sendable (StreamedPiece) -> Void)?>(nil)

  func begin(_ deliver: @escaping @Sendable (StreamedPiece) -> Void) {
    self.deliver.withLock { $0 = deliver }
  }
  func grant(_ bytes: Int) { granted.update { $0.append(bytes) } }
  func stop() { stops.update { $0 += 1 } }

  func send(_ piece: StreamedPiece) { deliver.withLock { $0 }?(piece) }
  func send(_ bytes: [UInt8]) { send(.data(ByteBuffer(bytes: bytes))) }
}

@Suite("Answers to a guest that go on after their frame", .timeLimit(.minutes(1)))
struct RunnerReplyStreamTests {
  private func fixture(
    _ reply: FedReply, _ script: @escaping ScriptedGuest.Script
  ) throws -> RunnerFixture {
    try RunnerFixture(
      service: { _, answer in
        answer(.stream(["columns": []], first: ByteBuffer(bytes: [1, 2]), rest: reply))
      }, script)
  }

  @Test("pieces follow in order under a number of their own, and credit goes back to the sender")
  func pieces() async throws {
    let reply = FedReply()
    let seen = Observed<[UInt8]>([])
    let ended = Observed<String?>(nil)
    let fixture = try fixture(reply) { guest in
      try guest.shake()
      try guest.ask(.number(7), "sql.query")
      let (message, first) = try guest.next()
      guard case .response(let response) = message, let stream = response.stream else {
        throw ScriptedGuest.Unexpected(found: "\(message)")
      }
      seen.update { $0 += first }
      try guest.send(.credit(stream: stream, bytes: 100))
      // One that is not open: it may have crossed with an end.
      try guest.send(.credit(stream: stream + 50, bytes: 5))
      while ended.now == nil {
        let (signal, body) = try guest.nextSignal()
        guard case .data(stream, let isEnd, let failure) = signal else { continue }
        seen.update { $0 += body }
        if isEnd { ended.update { $0 = failure ?? "whole" } }
      }
      try guest.serve()
    }
    await fixture.runner.startNow()
    await reply.granted.until { $0 == [100] }
    reply.send([3, 4])
    reply.send([5])
    reply.send(.end(failure: "sql.corrupt: the file is damaged"))
    // After its end nothing is told.
    reply.send([6])
    #expect(await ended.until { $0 != nil } == "sql.corrupt: the file is damaged")
    #expect(seen.now == [1, 2, 3, 4, 5])
    await fixture.finish()
    #expect(reply.stops.now == 0)
  }

  @Test("a guest that wants no more stops the sender")
  func stop() async throws {
    let reply = FedReply()
    let fixture = try fixture(reply) { guest in
      try guest.shake()
      try guest.ask(.number(7), "sql.query")
      let stream = try guest.nextResponse().stream ?? 0
      try guest.send(.stop(stream: stream))
      try guest.serve()
    }
    await fixture.runner.startNow()
    await reply.stops.until { $0 == 1 }
    reply.send(.end(failure: nil))
    await fixture.finish()
  }

  @Test("a guest that leaves stops what is on its way to it, also what is answered later")
  func leave() async throws {
    let reply = FedReply()
    let late = FedReply()
    let held = Observed<(@Sendable (ServiceReply) -> Void)?>(nil)
    let fixture = try RunnerFixture(
      service: { request, answer in
        if request.method == "later" { return held.update { $0 = answer } }
        answer(.stream([:], first: ByteBuffer(), rest: reply))
      },
      { guest in
        try guest.shake()
        try guest.ask(.number(6), "later")
        try guest.ask(.number(7), "sql.query")
        _ = try guest.nextResponse()
        try guest.exit(code: 0)
      })
    await fixture.runner.startNow()
    await reply.stops.until { $0 == 1 }
    held.now?(.stream([:], first: ByteBuffer(), rest: late))
    await late.stops.until { $0 == 1 }
    await fixture.finish()
  }

  @Test("credit is kept back while the guest has much to read")
  func backlog() async throws {
    let reply = FedReply()
    let isFull = Observed(false)
    let fixture = try fixture(reply) { guest in
      try guest.shake()
      try guest.ask(.number(7), "sql.query")
      let stream = try guest.nextResponse().stream ?? 0
      try guest.send(.credit(stream: stream, bytes: 1))
      while !isFull.now { usleep(1_000) }
      try guest.send(.credit(stream: stream, bytes: 2))
      var bytes = 0
      while bytes < 4 << 20 { bytes += try guest.nextSignal().body.count }
      try guest.serve()
    }
    await fixture.runner.startNow()
    await reply.granted.until { $0 == [1] }
    for _ in 0..<64 { reply.send([UInt8](repeating: 0, count: 65_536)) }
    isFull.update { $0 = true }
    // Granted in the end, once the guest has read.
    #expect(await reply.granted.until { $0.count == 2 } == [1, 2])
    await fixture.finish()
  }
}
