// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore
import NIOPosix
import Supervisor
import Synchronization

/// The gateway's end of a request, which writes down all that arrives.
final class RecordingReceiver: HTTPAnswerReceiver {
  struct Seen: Sendable {
    var head: HTTPResponseHead?
    var body: [UInt8] = []
    var isComplete = false
    var failure: HostError?
    /// What may be sent of the request's body; the first credit is the contract's.
    var window = 262_144
    var granted = 0
    var isStopped = false
    /// Words that must not come after the end.
    var afterEnd = 0

    var isOver: Bool { isComplete || failure != nil }
  }

  let eventLoop: any EventLoop
  let seen = Observed(Seen())
  private let exchange = Mutex<(any HTTPExchange)?>(nil)
  private let isReading: Mutex<Bool>
  private let ungranted = Mutex(0)

  /// - Parameter reads: whether bytes of the answer are taken as they come.
  init(reads: Bool = true) {
    eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    isReading = Mutex(reads)
  }

  func set(_ exchange: any HTTPExchange) {
    self.exchange.withLock { $0 = exchange }
    eventLoop.execute { self.grant() }
  }

  /// Takes what came so far, and from now on what comes.
  func startReading() {
    isReading.withLock { $0 = true }
    eventLoop.execute { self.grant() }
  }

  private func grant() {
    guard isReading.withLock({ $0 }), let exchange = exchange.withLock({ $0 }) else { return }
    let bytes = ungranted.withLock { bytes in
      defer { bytes = 0 }
      return bytes
    }
    if bytes > 0 { exchange.grantAnswerBody(bytes: bytes) }
  }

  private func note(_ change: (inout Seen) -> Void) {
    eventLoop.preconditionInEventLoop()
    seen.update { seen in
      if seen.isOver { seen.afterEnd += 1 }
      change(&seen)
    }
  }

  private func take(_ body: ByteBuffer) {
    ungranted.withLock { $0 += body.readableBytes }
    grant()
  }

  func receive(head: HTTPResponseHead, body: ByteBuffer, isComplete: Bool) {
    note { seen in
      seen.head = head
      seen.body += body.readableBytesView
      seen.isComplete = isComplete
    }
    take(body)
  }

  func receive(body: ByteBuffer, isComplete: Bool) {
    note { seen in
      seen.body += body.readableBytesView
      seen.isComplete = isComplete
    }
    take(body)
  }

  func fail(_ error: HostError) { note { $0.failure = error } }

  func grantRequestBody(bytes: Int) {
    note { seen in
      seen.window += bytes
      seen.granted += bytes
    }
  }

  func stopRequestBody() { note { $0.isStopped = true } }

  /// Sends a body as fast as it is granted; returns how much went before the guest wanted no more.
  func upload(_ count: Int, through exchange: any HTTPExchange, alreadySent: Int = 0) async -> Int {
    var sent = alreadySent
    seen.update { $0.window -= alreadySent }
    while sent < count {
      let state = await seen.until { $0.window > 0 || $0.isStopped || $0.isOver }
      if state.isStopped || state.isOver { return sent }
      let piece = min(state.window, 65_536, count - sent)
      seen.update { $0.window -= piece }
      let body = ByteBuffer(bytes: Pattern.bytes(from: sent, count: piece))
      sent += piece
      let isLast = sent == count
      eventLoop.execute { exchange.send(body: body, isComplete: isLast) }
    }
    return sent
  }
}
