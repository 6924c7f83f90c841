// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore
import NIOEmbedded
import Supervisor
import Testing

@Suite("A worker's streamed answer on its way through the host", .timeLimit(.minutes(1)))
struct WorkerStreamTests {
  private let loop = EmbeddedEventLoop()
  private static let window = FrameLimits().streamCredit

  @Test("never more is granted to the worker than one stream's first credit")
  func window() {
    var signals: [WorkerStream.Signal] = []
    let stream = WorkerStream(eventLoop: loop, credit: 0) { signals.append($0) }
    stream.begin { _ in }
    stream.grant(Int(Int32.max))
    #expect(signals == [.credit(Self.window)])
    #expect(stream.receive(ByteBuffer(repeating: 0, count: 1_000)))
    #expect(signals.last == .credit(1_000))
    #expect(!stream.receive(ByteBuffer(repeating: 0, count: Self.window + 1)))
  }

  @Test("what came before anybody listened is not lost; after a stop only the end is told")
  func order() {
    var signals: [WorkerStream.Signal] = []
    let seen = Observed<[StreamedPiece]>([])
    let stream = WorkerStream(eventLoop: loop, credit: 100) { signals.append($0) }
    #expect(stream.receive(ByteBuffer(bytes: [1])))
    stream.begin { piece in seen.update { $0.append(piece) } }
    #expect(stream.receive(ByteBuffer(bytes: [2])))
    stream.stop()
    stream.stop()
    stream.grant(10)
    #expect(stream.receive(ByteBuffer(bytes: [3])))
    stream.end(failure: nil)
    stream.end(failure: "again")
    #expect(
      seen.now == [
        .data(ByteBuffer(bytes: [1])), .data(ByteBuffer(bytes: [2])), .end(failure: nil),
      ])
    #expect(signals == [.stop])
  }
}
