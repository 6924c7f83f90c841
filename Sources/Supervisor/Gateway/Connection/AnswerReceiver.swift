// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// The receiving end of one request's answer. Whatever arrives after the request is over falls on deaf ears, so a late
/// word about one request can never touch the next one on the same connection.
///
// SAFETY: `connection` and `exchange` are used on `eventLoop` only, as HTTPAnswerReceiver asks of its callers.
final class AnswerReceiver: HTTPAnswerReceiver, @unchecked Sendable {
  let eventLoop: any EventLoop
  private var connection: GatewayConnection?
  var exchange: (any HTTPExchange)?

  init(_ connection: GatewayConnection, _ eventLoop: any EventLoop) {
    self.connection = connection
    self.eventLoop = eventLoop
  }

  var isOpen: Bool { connection != nil }

  /// The request is over.
  func close() {
    connection = nil
    exchange = nil
  }

  func receive(head: HTTPResponseHead, body: ByteBuffer, isComplete: Bool) {
    eventLoop.assertInEventLoop()
    connection?.answer(head, body, isComplete: isComplete)
  }

  func receive(body: ByteBuffer, isComplete: Bool) {
    eventLoop.assertInEventLoop()
    connection?.answer(body, isComplete: isComplete)
  }

  func fail(_ error: HostError) {
    eventLoop.assertInEventLoop()
    connection?.answerFailed(error)
  }

  func grantRequestBody(bytes: Int) {
    eventLoop.assertInEventLoop()
    connection?.requestBodyGranted(bytes)
  }

  func stopRequestBody() {
    eventLoop.assertInEventLoop()
    connection?.requestBodyUnwanted()
  }
}
