// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine
import Locks

/// The rest of one answer, sent as the receiver grants credit.
final class OutgoingStream: @unchecked Sendable {
  enum Failure: Error { case stopped, stalled }

  let number: Int64
  private let channel: Channel
  // SAFETY: guarded by `monitor`.
  private let monitor = Monitor()
  private var credit: Int
  private var isStopped = false

  init(number: Int64, channel: Channel, credit: Int) {
    self.number = number
    self.channel = channel
    self.credit = credit
  }

  func grant(_ bytes: Int) {
    monitor.locked {
      // More than a frame ahead is never needed, and the sum must not overflow.
      credit = min(credit + bytes, 1 << 40)
      monitor.signal()
    }
  }

  func stop() {
    monitor.locked {
      isStopped = true
      monitor.signal()
    }
  }

  /// Takes up to `wanted` bytes of credit, waiting until there is some.
  func take(_ wanted: Int, waitingAtMost milliseconds: Int64) throws(Failure) -> Int {
    let deadline = Monotonic.after(milliseconds: milliseconds)
    monitor.lock()
    defer { monitor.unlock() }
    while credit == 0, !isStopped {
      guard Monotonic.now < deadline else { throw .stalled }
      monitor.wait(until: deadline)
    }
    guard !isStopped else { throw .stopped }
    let taken = min(credit, wanted)
    credit -= taken
    return taken
  }

  var hasCredit: Bool { monitor.locked { credit > 0 || isStopped } }

  func send(_ piece: ArraySlice<UInt8>, end: Bool = false, failure: String? = nil) {
    var frame = ReplyFrame()
    StreamSignal.data(stream: number, end: end, failure: failure).write(to: &frame.writer)
    frame.body = Array(piece)
    channel.send(frame.sealed(), flush: true)
  }
}

/// The streams of one socket.
final class OutgoingStreams: Sendable {
  private struct State {
    var streams: [Int64: OutgoingStream] = [:]
    var next: Int64 = 1
  }
  private let state = Lock(State())

  /// Nil if `max` are open.
  func open(on channel: Channel, credit: Int, max: Int) -> OutgoingStream? {
    state.withLock { state in
      guard state.streams.count < max else { return nil }
      let stream = OutgoingStream(number: state.next, channel: channel, credit: credit)
      state.next += 1
      state.streams[stream.number] = stream
      return stream
    }
  }

  func close(_ stream: OutgoingStream) {
    state.withLock { $0.streams[stream.number] = nil }
  }

  /// A stream that has ended is none: credit and stop may have crossed with its end.
  func find(_ number: Int64) -> OutgoingStream? { state.withLock { $0.streams[number] } }

  func stopAll() { state.withLock { Array($0.streams.values) }.forEach { $0.stop() } }

  var count: Int { state.withLock { $0.streams.count } }
}
