// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// The host's half of what a guest may ask for: one per app, so that who is calling comes from the connection and
/// never from the message (design §3.4).
package protocol GuestService: Sendable {
  /// Answers one request. `reply` is called exactly once, on any thread.
  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void)
  /// The guest's connection ended: nothing that is still under way is wanted.
  func guestLeft()
  /// Where the host's work for this guest is charged; nil where nobody counts.
  var hostWork: HostWork? { get }
}

extension GuestService {
  package var hostWork: HostWork? { nil }
}

package struct ServiceRequest: Sendable {
  package var method: String
  package var params: JSONValue
  package var body: ByteBuffer
  package var meta: Message.Meta

  package init(method: String, params: JSONValue, body: ByteBuffer, meta: Message.Meta) {
    self.method = method
    self.params = params
    self.body = body
    self.meta = meta
  }
}

package enum ServiceReply: Sendable {
  case result(JSONValue, body: ByteBuffer)
  /// The body goes on: `first` is within a stream's first credit.
  case stream(JSONValue, first: ByteBuffer, rest: any StreamedReply)
  case failure(RPCError)

  package static func failure(_ error: HostError) -> ServiceReply { .failure(RPCError(error)) }
}
