// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import GuestAPI
import NIOCore
import Supervisor
import Synchronization

/// A guest that runs on a thread of the test and does what its script says, on the other end of a real socket. What a
/// process is to the host (a pid, a kill, an exit) is played as well.
final class ScriptedGuest: GuestProcess {
  typealias Script = @Sendable (ScriptedGuest) throws -> Void

  struct HungUp: Error {}
  struct Unexpected: Error { var found: String }

  let pid: Int32
  private let socket: Int32
  private let decoder = Mutex(FrameDecoder())
  private let exit = Observed<GuestExit?>(nil)
  private let isClosed = Mutex(false)

  /// Called once, before anybody can learn of the exit.
  private let onExit: @Sendable () -> Void

  init(pid: Int32, socket: Int32, onExit: @escaping @Sendable () -> Void) {
    self.pid = pid
    self.socket = socket
    self.onExit = onExit
  }

  func run(_ script: @escaping Script) {
    Thread.detachNewThread { [self] in
      try? script(self)
      end(GuestExit(cause: .exited(0)))
      Glibc.close(socket)
    }
  }

  private func end(_ how: GuestExit) {
    exit.update { exit in
      guard exit == nil else { return }
      onExit()
      exit = how
    }
    hangUp()
  }

  // MARK: what the host does to a process

  func kill() { end(GuestExit(cause: .signaled(SIGKILL))) }
  func waitForExit() async -> GuestExit {
    await exit.until { $0 != nil } ?? GuestExit(cause: .exited(0))
  }

  // MARK: what a script does

  /// Ends as a process does that exits by itself.
  func exit(_ how: GuestExit) throws -> Never {
    end(how)
    throw HungUp()
  }
  func exit(code: Int32) throws -> Never { try exit(GuestExit(cause: .exited(code))) }

  /// Closes the socket as far as the host can see it, and lives on.
  func hangUp() {
    // With the lock held: whoever closes the number comes after.
    isClosed.withLock { closed in
      if !closed { shutdown(socket, Int32(SHUT_RDWR)) }
      closed = true
    }
  }

  /// Blocks until the host has ended it.
  func waitForKill() throws -> Never {
    while true { _ = try next() }
  }

  /// Answers nothing, and exits when it is asked to.
  func idle() throws {
    while try nextRequest().method != "shutdown" {}
  }

  /// The next frame of the host's; throws when it hung up.
  func next() throws -> (message: Message, body: [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      if let frame = try decoder.withLock({ try $0.next() }) {
        return (try Message(frame.json), frame.body)
      }
      let count = read(socket, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw HungUp() }
      decoder.withLock { $0.append(Array(buffer[..<count])) }
    }
  }

  func nextRequest() throws -> Message.Request {
    let (message, _) = try next()
    guard case .request(let request) = message else { throw Unexpected(found: "\(message)") }
    return request
  }

  func nextResponse() throws -> Message.Response {
    let (message, _) = try next()
    guard case .response(let response) = message else { throw Unexpected(found: "\(message)") }
    return response
  }

  func nextSignal() throws -> (signal: StreamSignal, body: [UInt8]) {
    let (message, body) = try next()
    guard case .notification(let method, let params) = message,
      let signal = try StreamSignal(method: method, params: params)
    else { throw Unexpected(found: "\(message)") }
    return (signal, body)
  }

  func send(raw bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          socket, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw HungUp() }
      sent += count
    }
  }

  /// Sends what fits into the socket now.
  func sendWithoutWaiting(_ bytes: [UInt8]) throws -> Int {
    let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
    let count = bytes.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, bytes.count, flags) }
    if count < 0, errno == EAGAIN { return 0 }
    guard count > 0 else { throw HungUp() }
    return count
  }

  func send(json text: String, body: [UInt8] = []) throws {
    try send(raw: Frame.encode(json: Array(text.utf8), body: body))
  }

  func send(_ message: Message, body: [UInt8] = []) throws {
    try send(raw: Frame.encode(json: message.encoded, body: body))
  }

  func send(_ signal: StreamSignal, body: [UInt8] = []) throws {
    try send(raw: Frame.encode(json: signal.encoded, body: body))
  }

  func result(_ id: RequestID, _ result: JSONValue, stream: Int64? = nil, body: [UInt8] = []) throws
  {
    try send(.response(.init(id: id, outcome: .result(result), stream: stream)), body: body)
  }

  func answer(_ id: RequestID, status: Int64 = 200, stream: Int64? = nil, body: [UInt8] = []) throws
  {
    try result(id, ["status": .int(status), "headers": []], stream: stream, body: body)
  }

  func ask(_ id: RequestID, _ method: String, _ params: JSONValue = [:], stream: Int64? = nil)
    throws
  {
    try send(.request(.init(id: id, method: method, params: params, stream: stream)))
  }

  /// Answers `initialize` and returns its params.
  @discardableResult
  func shake(handles: [JSONValue] = ["http.request"]) throws -> JSONValue {
    let request = try nextRequest()
    guard request.method == "initialize" else { throw Unexpected(found: request.method) }
    try result(request.id, ["protocol": 1, "sdk": "test/1", "handles": .array(handles)])
    return request.params
  }

  /// Answers everything with 200 and the target as the body, until it is asked to stop or hung up on.
  func serve() throws {
    while true {
      let (message, _) = try next()
      guard case .request(let request) = message else { continue }
      switch request.method {
      case "shutdown":
        try result(request.id, [:])
        return
      case "http.request":
        try answer(request.id, body: Array((request.params["target"]?.string ?? "").utf8))
      default: try result(request.id, [:])
      }
    }
  }
}
