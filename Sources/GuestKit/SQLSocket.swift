// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Glibc
import Locks

/// The guest's own socket to its SQL worker: same frames, nothing is asked of the guest on it. Its reading thread starts
/// with the first statement.
package final class SQLSocket: Sendable {
  private enum State {
    case unused(Int32)
    case open(Connection)
    /// There is none, or the worker has ended.
    case none
  }

  private let state: Lock<State>

  init(descriptor: Int32?) { state = Lock(descriptor.map { .unused($0) } ?? .none) }

  /// The answer; nil if this way is closed and nothing was sent: then the host relays.
  func call(
    _ method: String, _ params: JSONValue, body: [UInt8], meta: Message.Meta
  ) async throws(GuestError) -> Reply? {
    guard let connection = opened() else { return nil }
    do throws(GuestError) {
      if let reply = try await connection.attempt(method, params, body: body, meta: meta) {
        return reply
      }
    } catch {
      guard case .disconnected = error else { throw error }
      state.withLock { $0 = .none }
      throw .refused(RPCError(Self.lost))
    }
    state.withLock { $0 = .none }
    return nil
  }

  static let lost = HostError(
    .upstream, "sql",
    "the database worker ended with this statement under way; it may have been carried out or not")

  private func opened() -> Connection? {
    let (connection, isNew) = state.withLock { state -> (Connection?, Bool) in
      switch state {
      case .open(let connection): return (connection, false)
      case .none: return (nil, false)
      case .unused(let descriptor):
        let connection = Connection(descriptor: descriptor) { _, _ in
          HTTPResponse(status: 501, body: .bytes([]))
        }
        state = .open(connection)
        return (connection, true)
      }
    }
    if isNew, let connection { Task { await connection.run() } }
    return connection
  }
}
