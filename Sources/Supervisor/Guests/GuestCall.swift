// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// One `http.request` from the moment the gateway hands it over to its last byte.
///
/// SAFETY: every mutable field belongs to the event loop of the app's runner (`loop`). The gateway's side enters
/// through `HTTPExchange`, which hops there; the answer leaves through `tell`, which hops to the receiver's loop.
final class GuestCall: HTTPExchange, @unchecked Sendable {
  enum Phase: Equatable {
    case queued
    /// Sent under this request id; no answer yet.
    case sent(Int64)
    /// The head of a streamed answer has come.
    case answering(Int64)
    /// Cancelled; the guest still owes a response to this id.
    case abandoned(Int64)
    case done
  }

  let loop: any EventLoop
  let head: HTTPRequestHead
  let queuedAt: NIODeadline
  private let receiver: any HTTPAnswerReceiver
  private let sameLoop: Bool

  var phase: Phase = .queued
  var session: GuestSession?
  /// Bytes of the body that came before the call was sent.
  var body: ByteBuffer
  var bodyIsComplete: Bool
  var bodyWasAborted = false
  /// The stream the request's body goes out under.
  var requestStream: Int64?
  /// What the receiver may still send of the request's body.
  var bodyWindow = 0
  /// What the guest granted and the receiver was not told of yet.
  var heldGrant = 0
  /// When the host last did something for this call: the guest's time to answer runs from here.
  var waitingSince: NIODeadline
  /// The stream the answer's body comes in under.
  var answerStream: Int64?
  /// Bytes of the answer the client took and the guest was not told of yet.
  var ungranted = 0
  /// Called when the gateway gives up on a call that was never sent.
  var onAbandonQueued: ((GuestCall) -> Void)?

  init(
    _ head: HTTPRequestHead, body: ByteBuffer, bodyIsComplete: Bool,
    receiver: any HTTPAnswerReceiver, loop: any EventLoop, now: NIODeadline
  ) {
    self.head = head
    self.body = body
    self.bodyIsComplete = bodyIsComplete
    self.receiver = receiver
    self.loop = loop
    self.queuedAt = now
    waitingSince = now
    sameLoop = receiver.eventLoop === loop
  }

  var isFinished: Bool {
    switch phase {
    case .done, .abandoned: true
    default: false
    }
  }

  /// Runs on the receiver's event loop.
  private func tell(_ action: @escaping @Sendable (any HTTPAnswerReceiver) -> Void) {
    if sameLoop {
      action(receiver)
    } else {
      let receiver = receiver
      receiver.eventLoop.execute { action(receiver) }
    }
  }

  func answer(head: HTTPResponseHead, body: ByteBuffer, isComplete: Bool) {
    tell { $0.receive(head: head, body: body, isComplete: isComplete) }
  }

  func answer(body: ByteBuffer, isComplete: Bool) {
    tell { $0.receive(body: body, isComplete: isComplete) }
  }

  /// The one failure a call can have; later ones are dropped.
  func fail(_ error: HostError) {
    guard !isFinished else { return }
    phase = .done
    session = nil
    tell { $0.fail(error) }
  }

  func grantRequestBody(bytes: Int) { tell { $0.grantRequestBody(bytes: bytes) } }
  func stopRequestBody() { tell { $0.stopRequestBody() } }
}

extension GuestCall {
  private func onLoop(_ action: @escaping @Sendable () -> Void) {
    if loop.inEventLoop { action() } else { loop.execute(action) }
  }

  func send(body piece: ByteBuffer, isComplete: Bool) {
    onLoop { [self] in
      switch phase {
      case .queued:
        var piece = piece
        body.writeBuffer(&piece)
        bodyIsComplete = isComplete
      case .sent, .answering: session?.sendBody(of: self, piece, isComplete: isComplete)
      case .abandoned, .done: break
      }
    }
  }

  func abortBody() {
    onLoop { [self] in
      bodyWasAborted = true
      switch phase {
      case .queued: giveUpQueued()
      case .sent, .answering: session?.abortBody(of: self)
      case .abandoned, .done: break
      }
    }
  }

  func grantAnswerBody(bytes: Int) {
    onLoop { [self] in session?.grantAnswer(of: self, bytes: bytes) }
  }

  func cancel() {
    onLoop { [self] in
      switch phase {
      case .queued: giveUpQueued()
      case .sent, .answering: session?.cancel(self)
      case .abandoned, .done: break
      }
    }
  }

  private func giveUpQueued() {
    phase = .done
    onAbandonQueued?(self)
  }
}
