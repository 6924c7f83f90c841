// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// Who answers an app's requests. The gateway knows no more of guests than this.
package protocol HTTPBackend: Sendable {
  /// Starts one request. Everything about it then arrives at `receiver`, on the receiver's event loop: exactly one
  /// complete answer or one failure.
  ///
  /// - Parameters:
  ///   - body: all of the request's body, or its beginning.
  ///   - bodyIsComplete: whether nothing follows. Otherwise the rest goes through the exchange, within the credit the
  ///     receiver is granted (`FrameLimits.streamCredit` to begin with, `body` included).
  func start(
    _ head: HTTPRequestHead, body: ByteBuffer, bodyIsComplete: Bool,
    receiver: any HTTPAnswerReceiver
  ) -> any HTTPExchange
}

/// The gateway's end of a request under way. Call on the receiver's event loop.
package protocol HTTPExchange: Sendable {
  /// The next piece of the request's body.
  func send(body: ByteBuffer, isComplete: Bool)
  /// The client wrote no further than this; the request's body will never be whole.
  func abortBody()
  /// The client took this many bytes of a streamed answer; as many more may come.
  func grantAnswerBody(bytes: Int)
  /// The client is gone. Nothing arrives at the receiver after this.
  func cancel()
}

/// Where an answer goes. All methods are called on `eventLoop`.
package protocol HTTPAnswerReceiver: AnyObject, Sendable {
  var eventLoop: any EventLoop { get }
  /// The head and the first bytes. If `isComplete`, the whole answer.
  func receive(head: HTTPResponseHead, body: ByteBuffer, isComplete: Bool)
  /// The next piece of a streamed answer.
  func receive(body: ByteBuffer, isComplete: Bool)
  /// There will be no answer, or no more of it. `error.data["retryAfter"]` holds seconds where waiting helps.
  func fail(_ error: HostError)
  /// The guest takes this many bytes of the request's body more.
  func grantRequestBody(bytes: Int)
  /// The guest wants no more of the request's body; the rest is read and dropped, or the connection closed.
  func stopRequestBody()
}
