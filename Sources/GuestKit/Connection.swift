// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Glibc
import Locks

/// The guest's end of the socket: one thread reads, any task writes.
package final class Connection: Sendable {
  private struct State {
    var nextID: Int64 = 1
    var nextStream: Int64 = 1
    var waiting: [Int64: CheckedContinuation<Result<Reply, GuestError>?, Never>] = [:]
    var bodies: [Int64: RequestBody] = [:]
    var credits: [Int64: StreamCredit] = [:]
    var tasks: [RequestID: Task<Void, Never>] = [:]
    var streamCredit = FrameLimits().streamCredit
    var isShuttingDown = false
    /// The host has hung up: nothing that waits for it would ever be woken.
    var isOver = false
  }

  private let descriptor: Int32
  private let handler: Guest.Handler
  /// The short way to SQL.
  let sql: SQLSocket
  private let state = Lock(State())
  private let writing = Lock(())

  /// - Parameters:
  ///   - descriptor: the socket to the host.
  ///   - sql: the guest's own socket to its SQL worker, if it has one.
  package init(descriptor: Int32, sql: Int32? = nil, handler: @escaping Guest.Handler) {
    self.descriptor = descriptor
    self.handler = handler
    self.sql = SQLSocket(descriptor: sql)
  }

  /// Reads until the host hangs up. The blocking read has a thread of its own.
  package func run() async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      Thread.start {
        self.readUntilEnd()
        done.resume()
      }
    }
  }

  private func readUntilEnd() {
    var decoder = FrameDecoder()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      decoder.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      do throws(ProtocolViolation) {
        while let frame = try decoder.next() { try receive(frame) }
      } catch { break }
      if shouldExit { break }
    }
    disconnect()
  }

  private var shouldExit: Bool { state.withLock { $0.isShuttingDown && $0.tasks.isEmpty } }

  private func disconnect() {
    let (waiting, bodies, credits) = state.withLock { state in
      state.isOver = true
      defer {
        state.waiting = [:]
        state.bodies = [:]
        state.credits = [:]
      }
      return (state.waiting.values, state.bodies.values, state.credits.values)
    }
    for waiter in waiting { waiter.resume(returning: .failure(.disconnected)) }
    for body in bodies { body.receive([], isComplete: true, failure: .disconnected) }
    for credit in credits { credit.stop() }
  }

  func send(_ json: [UInt8], body: [UInt8] = []) {
    let bytes = Frame.encode(json: json, body: body)
    writing.withLock { _ in
      var sent = 0
      while sent < bytes.count {
        let count = bytes.withUnsafeBytes {
          Glibc.write(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent)
        }
        if count < 0, errno == EINTR { continue }
        // The reading thread sees the end of the socket and ends everything that waits.
        guard count > 0 else { return }
        sent += count
      }
    }
  }

  /// One request to the other end.
  func call(
    _ method: String, _ params: JSONValue, body: [UInt8] = [], meta: Message.Meta = .init()
  ) async throws(GuestError) -> Reply {
    guard let reply = try await attempt(method, params, body: body, meta: meta) else {
      throw .disconnected
    }
    return reply
  }

  /// As `call`; nil if the socket was over before anything was sent.
  func attempt(
    _ method: String, _ params: JSONValue, body: [UInt8], meta: Message.Meta
  ) async throws(GuestError) -> Reply? {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    let message = Message.request(
      .init(id: .number(id), method: method, params: params, meta: meta))
    let request = message.encoded
    try requireRoom(json: request.count, body: body.count)
    let outcome: Result<Reply, GuestError>? = await withCheckedContinuation { done in
      withWaiter(id, done) { send(request, body: body) }
    }
    return try outcome?.get()
  }

  /// Enters who waits for an answer, then sends; answers nil at once if the socket is over.
  private func withWaiter(
    _ id: Int64, _ done: CheckedContinuation<Result<Reply, GuestError>?, Never>,
    _ send: () -> Void
  ) {
    let isOver = state.withLock { state in
      if !state.isOver { state.waiting[id] = done }
      return state.isOver
    }
    if isOver { done.resume(returning: nil) } else { send() }
  }

  /// What is larger is refused here: the host would end the guest for it.
  private func requireRoom(json: Int, body: Int) throws(GuestError) {
    let limits = FrameLimits()
    guard json > limits.jsonBytes || 4 + json + body > limits.frameBytes else { return }
    let message =
      "this message has \(json) bytes of JSON and \(body) of body; \(limits.jsonBytes) of JSON and "
      + "\(limits.frameBytes) in all are allowed: send less at once, or move bytes to the body"
    throw .refused(RPCError(HostError(.params, "size", message)))
  }
}

/// What the other end answered: the body is whole, or `stream` is all of it.
struct Reply: Sendable {
  var result: JSONValue
  var body: [UInt8] = []
  var stream: RequestBody?
}

extension Connection {
  private func receive(_ frame: Frame) throws(ProtocolViolation) {
    switch try Message(frame.json) {
    case .request(let request): receive(request, body: frame.body)
    case .response(let response): receive(response, body: frame.body)
    case .notification(let method, let params):
      guard let signal = try StreamSignal(method: method, params: params) else { return }
      receive(signal, body: frame.body)
    }
  }

  private func receive(_ response: Message.Response, body: [UInt8]) {
    guard case .number(let id) = response.id,
      let waiter = state.withLock({ $0.waiting.removeValue(forKey: id) })
    else { return }
    switch response.outcome {
    case .result(let result):
      waiter.resume(returning: .success(reply(result, body: body, stream: response.stream)))
    case .error(let error): waiter.resume(returning: .failure(.refused(error)))
    }
  }

  /// A body that goes on is entered before its first piece can come: this thread reads that piece too.
  private func reply(_ result: JSONValue, body: [UInt8], stream: Int64?) -> Reply {
    guard let stream else { return Reply(result: result, body: body) }
    let rest = incoming(stream, first: body)
    state.withLock { $0.bodies[stream] = rest }
    return Reply(result: result, body: [], stream: rest)
  }

  private func incoming(_ stream: Int64, first: [UInt8]) -> RequestBody {
    RequestBody(first: first, isComplete: false) { [weak self] demand in
      switch demand {
      case .more(let bytes):
        self?.send(StreamSignal.credit(stream: stream, bytes: bytes).encoded)
      case .stop: self?.send(StreamSignal.stop(stream: stream).encoded)
      }
    }
  }

  private func receive(_ signal: StreamSignal, body: [UInt8]) {
    switch signal {
    case .data(let stream, let end, let failure):
      let target = state.withLock { state in
        end ? state.bodies.removeValue(forKey: stream) : state.bodies[stream]
      }
      target?.receive(body, isComplete: end, failure: failure.map { .brokenOff($0) })
    case .credit(let stream, let bytes):
      state.withLock { $0.credits[stream] }?.add(bytes)
    case .stop(let stream): state.withLock { $0.credits[stream] }?.stop()
    case .cancel(let id): state.withLock { $0.tasks[id] }?.cancel()
    }
  }

  private func receive(_ request: Message.Request, body: [UInt8]) {
    switch request.method {
    case "initialize":
      guard request.params["protocol"]?.array?.contains(1) == true else {
        let error = RPCError(HostError(.unsupported, "protocol", "this guest speaks protocol 1"))
        return send(Message.response(.init(id: request.id, outcome: .error(error))).encoded)
      }
      if let credit = request.params["limits"]?["streamCredit"]?.int {
        state.withLock { $0.streamCredit = Int(credit) }
      }
      reply(
        request.id,
        ["protocol": 1, "sdk": "swift/0.1.0", "handles": ["http.request"]])
    case "ping": reply(request.id, [:])
    case "shutdown":
      reply(request.id, [:])
      let isIdle = state.withLock { state in
        state.isShuttingDown = true
        return state.tasks.isEmpty
      }
      if isIdle { exit(0) }
    case "http.request": serve(request, body: body)
    default:
      let error = RPCError(HostError(.method, "", "this guest has no method \(request.method)"))
      send(Message.response(.init(id: request.id, outcome: .error(error))).encoded)
    }
  }

  private func reply(_ id: RequestID, _ result: JSONValue) {
    send(Message.response(.init(id: id, outcome: .result(result))).encoded)
  }

  private func serve(_ request: Message.Request, body first: [UInt8]) {
    let stream = request.stream
    let body =
      stream.map { incoming($0, first: first) }
      ?? RequestBody(first: first, isComplete: true) { _ in }
    state.withLock { state in
      if let stream { state.bodies[stream] = body }
      // The task removes itself under this same lock, so it cannot finish before it is entered here.
      state.tasks[request.id] = Task { await self.answer(request, body: body) }
    }
  }

  private func answer(_ request: Message.Request, body: RequestBody) async {
    do {
      let head = try HTTPRequestHead(request.params)
      let response = try await handler(HTTPRequest(head: head, body: body), Host(connection: self))
      try await send(response, to: request.id)
    } catch {
      let area: HostError.Area = error is CancellationError ? .cancelled : .internal
      let failure = RPCError(HostError(area, "", "the handler failed: \(error)"))
      send(Message.response(.init(id: request.id, outcome: .error(failure))).encoded)
    }
    let isLast = state.withLock { state in
      state.tasks[request.id] = nil
      return state.isShuttingDown && state.tasks.isEmpty
    }
    if isLast { exit(0) }
  }

  private func send(_ response: HTTPResponse, to id: RequestID) async throws {
    let head = HTTPResponseHead(status: response.status, headers: response.headers)
    switch response.body {
    case .bytes(let bytes) where bytes.count <= FrameLimits.pieceBytes * 8:
      try sendHead(head, to: id, stream: nil, body: bytes)
    case .bytes(let bytes):
      let pieces = AsyncThrowingStream<[UInt8], any Error> { continuation in
        continuation.yield(bytes)
        continuation.finish()
      }
      try await stream(head, pieces, to: id)
    case .stream(let pieces): try await stream(head, pieces, to: id)
    }
  }

  private func sendHead(
    _ head: HTTPResponseHead, to id: RequestID, stream: Int64?, body: [UInt8]
  ) throws(GuestError) {
    var writer = JSONWriter()
    writer.raw("{\"jsonrpc\":\"2.0\",\"id\":")
    id.write(to: &writer)
    writer.raw(",\"result\":")
    head.write(to: &writer)
    Message.write(stream: stream, to: &writer)
    writer.raw("}")
    try requireRoom(json: writer.bytes.count, body: body.count)
    send(writer.bytes, body: body)
  }

  private func stream(
    _ head: HTTPResponseHead, _ pieces: AsyncThrowingStream<[UInt8], any Error>, to id: RequestID
  ) async throws {
    let (number, credit) = state.withLock { state in
      state.nextStream += 1
      let credit = StreamCredit(state.streamCredit)
      state.credits[state.nextStream] = credit
      if state.isOver { credit.stop() }
      return (state.nextStream, credit)
    }
    defer { state.withLock { _ = $0.credits.removeValue(forKey: number) } }
    try sendHead(head, to: id, stream: number, body: [])
    var failure: String?
    do {
      for try await piece in pieces {
        var rest = piece[...]
        while !rest.isEmpty {
          let count = await credit.take(atMost: min(rest.count, FrameLimits.pieceBytes))
          guard count > 0 else { throw CancellationError() }
          send(
            StreamSignal.data(stream: number, end: false, failure: nil).encoded,
            body: Array(rest.prefix(count)))
          rest = rest.dropFirst(count)
        }
      }
    } catch { failure = "\(error)" }
    send(StreamSignal.data(stream: number, end: true, failure: failure).encoded)
  }
}
