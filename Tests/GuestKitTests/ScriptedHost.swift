// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import GuestAPI
import GuestKit
import Synchronization

/// The other end of a guest's socket, played by the test. A thread of its own reads: a test that blocked would hold one of
/// the few threads the guest's tasks run on.
final class ScriptedHost {
  private let end: Descriptor
  private var socket: Int32 { end.number }
  private var frames: AsyncStream<Frame>.Iterator

  struct HungUp: Error {}

  /// The guest's end.
  let inside: Int32

  private init() throws {
    // As `Guest.serve` does: a host that is gone shows as an error of write.
    _ = Glibc.signal(SIGPIPE, SIG_IGN)
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else { throw HungUp() }
    let mine = Descriptor(pair[0])
    (end, inside) = (mine, pair[1])
    let (stream, continuation) = AsyncStream.makeStream(of: Frame.self)
    frames = stream.makeAsyncIterator()
    Thread.detachNewThread {
      Self.read(from: mine.number) { continuation.yield($0) }
      continuation.finish()
    }
  }

  /// Starts a guest on the other end.
  ///
  /// - Parameter sql: the guest's own SQL socket.
  convenience init(sql: Int32? = nil, _ handler: @escaping Guest.Handler) throws {
    try self.init()
    let other = inside
    let connection = Connection(descriptor: other, sql: sql, handler: handler)
    Task {
      await connection.run()
      // Shut and not closed: a handler that still answers must not write to whoever has the number next.
      shutdown(other, Int32(SHUT_RDWR))
    }
  }

  /// An SQL worker's end, for a guest to be given the other.
  static func worker() throws -> ScriptedHost { try ScriptedHost() }

  /// Closed when neither the reader nor the test can use its number any more.
  private final class Descriptor: Sendable {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { close(number) }
  }

  deinit { hangUp() }

  func hangUp() { shutdown(socket, Int32(SHUT_RDWR)) }

  private static func read(from socket: Int32, _ deliver: (Frame) -> Void) {
    var decoder = FrameDecoder()
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(socket, &buffer, buffer.count)
      guard count > 0 else { return }
      decoder.append(Array(buffer[..<count]))
      do throws(ProtocolViolation) {
        while let frame = try decoder.next() { deliver(frame) }
      } catch { return }
    }
  }

  func send(_ message: Message, body: [UInt8] = []) throws {
    let bytes = Frame.encode(json: message.encoded, body: body)
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          socket, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw HungUp() }
      sent += count
    }
  }

  func signal(_ signal: StreamSignal, body: [UInt8] = []) throws {
    try send(Message(JSONParser.parse(signal.encoded)), body: body)
  }

  func request(
    _ id: Int64, _ method: String, _ params: JSONValue = [:], stream: Int64? = nil,
    body: [UInt8] = []
  ) throws {
    try send(
      .request(.init(id: .number(id), method: method, params: params, stream: stream)), body: body)
  }

  func get(_ id: Int64, _ target: String, stream: Int64? = nil, body: [UInt8] = []) throws {
    let head: JSONValue = [
      "method": "GET", "target": .string(target), "headers": [],
      "remote": ["ip": "192.0.2.7", "scheme": "http"], "identity": nil,
    ]
    try request(id, "http.request", head, stream: stream, body: body)
  }

  func next() async throws -> (message: Message, body: [UInt8]) {
    guard let frame = await frames.next() else { throw HungUp() }
    return (try Message(frame.json), frame.body)
  }

  func nextResponse() async throws -> (response: Message.Response, body: [UInt8]) {
    let (message, body) = try await next()
    guard case .response(let response) = message else { throw HungUp() }
    return (response, body)
  }

  func nextRequest() async throws -> Message.Request {
    let (message, _) = try await next()
    guard case .request(let request) = message else { throw HungUp() }
    return request
  }

  func result(_ request: Message.Request, _ result: JSONValue) throws {
    try send(.response(.init(id: request.id, outcome: .result(result))))
  }

  func fail(_ request: Message.Request, _ error: HostError) throws {
    try send(.response(.init(id: request.id, outcome: .error(RPCError(error)))))
  }

  func nextSignal() async throws -> (signal: StreamSignal, body: [UInt8]) {
    let (message, body) = try await next()
    guard case .notification(let method, let params) = message,
      let signal = try StreamSignal(method: method, params: params)
    else { throw HungUp() }
    return (signal, body)
  }
}
