// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// What a session tells its app's runner. Called on the event loop.
protocol GuestSessionOwner: AnyObject {
  func sessionIsReady(_ session: GuestSession, handles: Set<String>)
  /// A place in `toGuest` is free again.
  func sessionFinishedCall(_ session: GuestSession)
  /// The connection is over. `violation` is nil when the guest hung up on its own.
  func sessionEnded(_ session: GuestSession, violation: ProtocolViolation?)
}

/// One guest's connection: the protocol of docs/PROTOCOL.md from the host's side. Confined to its event loop.
final class GuestSession: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  enum Phase { case connecting, shaking, ready, closing, ended }

  let limits: FrameLimits
  private let handshake: JSONValue
  let service: any GuestService
  private weak var owner: (any GuestSessionOwner)?
  private let now: @Sendable () -> NIODeadline
  private var reader: FrameReader
  private(set) var socket: GuestSocket?
  private(set) var phase: Phase = .connecting
  private var midFrameSince: NIODeadline?
  private var readingIsPaused = false

  /// Calls the guest has not answered whole, by request id.
  private var calls: [Int64: GuestCall] = [:]
  /// Whose answer a stream from the guest carries.
  private var answerStreams: [Int64: AnswerStream] = [:]
  /// Whose body a stream to the guest carries.
  private var requestStreams: [Int64: GuestCall] = [:]
  /// Answers to the guest whose body goes on, by stream.
  private var replies: [Int64: OpenReply] = [:]
  /// Requests of the guest the host has not answered.
  private var guestRequests: Set<RequestID> = []
  private var controlReplies: [Int64: (Message.Outcome) -> Void] = [:]
  private var nextID: Int64 = 1
  private var nextStream: Int64 = 1
  private var cancelledSince: NIODeadline?
  /// The process is gone: what it sent is read, nothing more is sent to it.
  private var isAlone = false
  /// Since when more waits for the guest than may.
  private var overflowSince: NIODeadline?
  /// Open streams of the guest that no call of the host's carries.
  private var unwantedStreams = 0

  struct AnswerStream {
    /// Nil once nobody wants it: its bytes are dropped until it ends.
    var call: GuestCall?
    var requestID: Int64
    var credit: Int
  }

  /// The rest of an answer of the host's.
  struct OpenReply {
    let rest: any StreamedReply
    /// What the guest granted and the host does not pass on yet.
    var heldGrant = 0
  }

  /// Stands for the request of a stream that belongs to none of the host's.
  private static let noRequest: Int64 = -1

  /// A started frame must end within this (docs/SPECIFICATION.md).
  static let frameTimeout: TimeAmount = .seconds(30)
  /// More than this waiting for a guest, for longer than `overflowTimeout`, ends it. Where `toGuest` is large it is what
  /// the host itself may send unasked: the first credit of a stream for each call.
  private var pendingBytesMax: Int {
    max(8 << 20, Self.pauseReadingAbove + limits.toGuest * limits.streamCredit)
  }
  static let overflowTimeout: TimeAmount = .seconds(2)
  /// Past this the host stops reading a guest's requests until the guest reads its answers.
  static let pauseReadingAbove = 1 << 20
  static let stallTimeout: TimeAmount = .seconds(30)
  static let cancelIgnoredTimeout: TimeAmount = .seconds(30)
  /// `$/credit` is sent once this much was consumed, so that small pieces do not cost a frame each.
  static let creditStep = 65_536

  init(
    limits: FrameLimits, handshake: JSONValue, service: any GuestService,
    owner: any GuestSessionOwner, now: @escaping @Sendable () -> NIODeadline
  ) {
    self.limits = limits
    self.now = now
    self.handshake = handshake
    self.service = service
    self.owner = owner
    reader = FrameReader(limits: limits)
  }

  /// Calls that hold a place, answered streams included.
  var inFlight: Int { calls.count }
  var isReady: Bool { phase == .ready && !isAlone }
  var isOver: Bool { phase == .ended }
  var hasGuestRequests: Bool { !guestRequests.isEmpty || !replies.isEmpty }

  // MARK: Channel

  func channelActive(context: ChannelHandlerContext) {
    // The process may be gone before its socket was taken over.
    guard phase == .connecting else { return context.close(promise: nil) }
    let socket = GuestSocket(channel: context.channel, hostWork: service.hostWork, now: now)
    socket.onProgress = { [weak self] in self?.madeProgress() }
    self.socket = socket
    phase = .shaking
    socket.send { writer in
      writer.raw("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":")
      writer.value(self.handshake)
      writer.raw("}")
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    if let hostWork = service.hostWork {
      hostWork.measuredOnLoop { receive(bytes) }
    } else {
      receive(bytes)
    }
  }

  private func receive(_ bytes: ByteBuffer) {
    guard phase != .ended else { return }
    reader.append(bytes)
    do throws(ProtocolViolation) {
      while phase != .ended, let frame = try reader.next() {
        midFrameSince = nil
        try receive(frame)
      }
    } catch {
      end(error)
      return
    }
    midFrameSince = reader.isMidFrame ? (midFrameSince ?? now()) : nil
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if let socket, socket.pendingBytes > Self.pauseReadingAbove, !isAlone {
      readingIsPaused = true
    }
    if !readingIsPaused { context.read() }
    context.fireChannelReadComplete()
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(nil)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A guest that died with the host's bytes unread shows as ECONNRESET: its exit tells why, not the socket.
    if error is IOError { return end(nil) }
    // A process that dies with requests unread resets its socket: that is how a crash looks, not a violation.
    end(nil)
  }

  /// Looks at what time alone can break. Called about once a second.
  func tick(now: NIODeadline) {
    guard phase != .ended, let socket else { return }
    // While the host does not read, an unfinished frame is no fault of the guest.
    if !readingIsPaused, let since = midFrameSince, now - since > Self.frameTimeout {
      return end(ProtocolViolation(.frameTimeout, "a frame was not finished in 30 s"))
    }
    let pending = socket.pendingBytes
    if pending > pendingBytesMax {
      let since = overflowSince ?? now
      overflowSince = since
      if now - since > Self.overflowTimeout {
        return end(ProtocolViolation(.readerStalled, "\(pending) bytes wait to be read"))
      }
    } else {
      overflowSince = nil
    }
    if pending > 0 {
      socket.noticeProgress()
      if now - socket.lastProgress > Self.stallTimeout {
        return end(ProtocolViolation(.readerStalled, "nothing was read for 30 s"))
      }
    }
    checkIgnoredCancels(now: now)
  }

  /// The process has exited: reads what it left in the socket, up to the end, which ends the session.
  func readToEnd() {
    isAlone = true
    readingIsPaused = false
    socket?.channel.read()
  }

  /// The guest took something of what was sent: what waited for that can go on.
  private func madeProgress() {
    guard phase != .ended, let socket, socket.pendingBytes <= Self.pauseReadingAbove / 2 else {
      return
    }
    if readingIsPaused {
      readingIsPaused = false
      if midFrameSince != nil { midFrameSince = now() }
      socket.channel.read()
    }
    for call in requestStreams.values where call.heldGrant > 0 { widenWindow(of: call) }
    for stream in replies.keys { grantReply(stream) }
  }

  private func checkIgnoredCancels(now: NIODeadline) {
    let abandoned = calls.values.count { if case .abandoned = $0.phase { true } else { false } }
    guard abandoned >= limits.toGuest else {
      cancelledSince = nil
      return
    }
    let since = cancelledSince ?? now
    cancelledSince = since
    if now - since > Self.cancelIgnoredTimeout {
      end(ProtocolViolation(.cancelIgnored, "all \(abandoned) places are held by cancelled calls"))
    }
  }

  /// Ends the connection, and every call with it.
  func end(_ violation: ProtocolViolation?) {
    guard phase != .ended else { return }
    let wasClosing = phase == .closing
    phase = .ended
    service.guestLeft()
    let error = HostError(
      .upstream, wasClosing ? "stopped" : violation?.reason.rawValue ?? "crashed",
      wasClosing ? "the app was stopped" : "the app ended while it was answering")
    for call in calls.values { call.fail(error) }
    calls = [:]
    answerStreams = [:]
    requestStreams = [:]
    let (unread, unanswered) = (replies.values, controlReplies)
    replies = [:]
    controlReplies = [:]
    for reply in unread { reply.rest.stop() }
    for reply in unanswered.values { reply(.error(RPCError(error))) }
    socket?.channel.close(promise: nil)
    owner?.sessionEnded(self, violation: violation)
  }
}

// MARK: Sending calls

extension GuestSession {
  /// Sends a call. The caller has checked that there is a place.
  func start(_ call: GuestCall, deadlineMs: Int64) {
    guard let socket else { return call.fail(HostError(.upstream, "crashed", "the app is gone")) }
    let body = call.body
    guard body.readableBytes <= limits.streamCredit else {
      return call.fail(
        HostError(
          .internal, "body", "the host gathered more of a request than it may",
          log: "\(body.readableBytes) bytes before the call was sent"))
    }
    let id = nextID
    nextID += 1
    var stream: Int64?
    if !call.bodyIsComplete {
      stream = nextStream
      nextStream += 1
      call.requestStream = stream
      requestStreams[stream ?? 0] = call
      call.bodyWindow = limits.streamCredit - body.readableBytes
    }
    call.phase = .sent(id)
    call.session = self
    calls[id] = call
    call.body = ByteBuffer()
    socket.send(body: body) { writer in
      writer.raw("{\"jsonrpc\":\"2.0\",\"id\":")
      writer.int(id)
      writer.raw(",\"method\":\"http.request\",\"params\":")
      call.head.write(to: &writer)
      writer.raw(",\"meta\":{\"deadlineMs\":")
      writer.int(deadlineMs)
      writer.raw("}")
      Message.write(stream: stream, to: &writer)
      writer.raw("}")
    }
  }

  func sendBody(of call: GuestCall, _ piece: ByteBuffer, isComplete: Bool) {
    guard let stream = call.requestStream, let socket else { return }
    call.waitingSince = now()
    call.bodyWindow -= piece.readableBytes
    var rest = piece
    repeat {
      let next = rest.readSlice(length: min(rest.readableBytes, FrameLimits.pieceBytes))
      let isLast = rest.readableBytes == 0
      socket.send(body: next) { writer in
        StreamSignal.data(stream: stream, end: isComplete && isLast, failure: nil)
          .write(to: &writer)
      }
    } while rest.readableBytes > 0
    if isComplete { closeRequestStream(of: call) } else { widenWindow(of: call) }
  }

  /// Passes on what the guest granted, as far as the host is willing to hold: never more than one stream's first credit
  /// on its way from the client, and nothing while the guest has much to read already. A guest that grants what it does
  /// not read cannot fill the host's memory.
  private func widenWindow(of call: GuestCall) {
    guard let socket, socket.pendingBytes < Self.pauseReadingAbove else { return }
    let bytes = min(call.heldGrant, limits.streamCredit - call.bodyWindow)
    guard bytes > 0 else { return }
    call.heldGrant -= bytes
    call.bodyWindow += bytes
    call.grantRequestBody(bytes: bytes)
  }

  func abortBody(of call: GuestCall) {
    guard let stream = call.requestStream, let socket else { return }
    socket.send {
      StreamSignal.data(stream: stream, end: true, failure: "the client went away").write(to: &$0)
    }
    closeRequestStream(of: call)
  }

  private func closeRequestStream(of call: GuestCall) {
    if let stream = call.requestStream { requestStreams[stream] = nil }
    call.requestStream = nil
    call.bodyIsComplete = true
  }

  func grantAnswer(of call: GuestCall, bytes: Int) {
    guard let stream = call.answerStream, answerStreams[stream] != nil else { return }
    call.ungranted += bytes
    guard call.ungranted >= Self.creditStep else { return }
    let grant = call.ungranted
    call.ungranted = 0
    answerStreams[stream]?.credit += grant
    socket?.send { StreamSignal.credit(stream: stream, bytes: grant).write(to: &$0) }
  }

  /// The client is gone. The guest's place stays taken until it answers.
  func cancel(_ call: GuestCall) {
    if call.requestStream != nil { abortBody(of: call) }
    switch call.phase {
    case .sent(let id):
      call.phase = .abandoned(id)
      socket?.send { StreamSignal.cancel(.number(id)).write(to: &$0) }
    case .answering(let id):
      call.phase = .abandoned(id)
      if let stream = call.answerStream {
        answerStreams[stream]?.call = nil
        socket?.send { StreamSignal.stop(stream: stream).write(to: &$0) }
      }
    default: break
    }
  }

  /// `ping` or `shutdown`: a request of the host itself.
  func control(
    _ method: StaticString, params: JSONValue, reply: @escaping (Message.Outcome) -> Void
  ) {
    guard let socket else { return }
    let id = nextID
    nextID += 1
    controlReplies[id] = reply
    socket.send { writer in
      writer.raw("{\"jsonrpc\":\"2.0\",\"id\":")
      writer.int(id)
      writer.raw(",\"method\":\"")
      writer.raw(method)
      writer.raw("\",\"params\":")
      writer.value(params)
      writer.raw("}")
    }
  }

  /// Asks the guest to finish and exit. New calls must not follow.
  func shutdown(reason: String, graceMs: Int64) {
    guard phase == .ready || phase == .shaking else { return }
    phase = .closing
    control("shutdown", params: ["reason": .string(reason), "graceMs": .int(graceMs)]) { _ in }
  }
}

// MARK: Receiving

extension GuestSession {
  private func receive(_ frame: FrameReader.WireFrame) throws(ProtocolViolation) {
    let message = try Message(frame.json)
    if phase == .shaking { return try receiveHandshake(message) }
    switch message {
    case .response(let response): try receive(response, body: frame.body)
    case .request(let request): try receive(request, body: frame.body)
    case .notification(let method, let params):
      guard let signal = try StreamSignal(method: method, params: params) else { return }
      try receive(signal, body: frame.body)
    }
  }

  private func receiveHandshake(_ message: Message) throws(ProtocolViolation) {
    guard case .response(let response) = message, response.id == .number(0) else {
      throw ProtocolViolation(.handshakeOrder, "something came before the answer to initialize")
    }
    guard case .result(let result) = response.outcome else {
      throw ProtocolViolation(.handshakeProtocol, "initialize was answered with an error")
    }
    guard result["protocol"]?.int == 1 else {
      throw ProtocolViolation(.handshakeProtocol, "the guest does not speak protocol 1")
    }
    phase = .ready
    // A name no method can have is not worth hashing.
    let names = (result["handles"]?.array ?? []).compactMap(\.string)
    let handles = Set(names.filter { $0.utf8.count <= 128 })
    owner?.sessionIsReady(self, handles: handles)
  }

  private func receive(
    _ response: Message.Response, body: ByteBuffer
  ) throws(ProtocolViolation) {
    guard case .number(let id) = response.id else {
      throw ProtocolViolation(.responseUnknownID, "an answer to an id the host never used")
    }
    if let reply = controlReplies.removeValue(forKey: id) { return reply(response.outcome) }
    guard let call = calls[id] else {
      throw ProtocolViolation(.responseUnknownID, "an answer to \(id), which is not in flight")
    }
    guard call.answerStream == nil else {
      throw ProtocolViolation(.responseUnknownID, "a second answer to \(id)")
    }
    if let stream = response.stream { try checkOpening(stream, body: body) }
    switch response.outcome {
    case .error(let error): finish(call, id: id) { $0.fail(Self.failure(error)) }
    case .result(let result): receive(result, of: call, id: id, stream: response.stream, body: body)
    }
  }

  private func checkOpening(_ stream: Int64, body: ByteBuffer) throws(ProtocolViolation) {
    guard answerStreams[stream] == nil else {
      throw ProtocolViolation(.streamUnknown, "stream \(stream) is open already")
    }
    guard body.readableBytes <= limits.streamCredit else {
      throw ProtocolViolation(.streamCredit, "more than \(limits.streamCredit) bytes at once")
    }
  }

  private func receive(
    _ result: JSONValue, of call: GuestCall, id: Int64, stream: Int64?, body: ByteBuffer
  ) {
    let head: HTTPResponseHead
    do throws(HostError) {
      head = try HTTPResponseHead(result)
    } catch {
      if let stream {
        call.answerStream = stream
        refuse(stream: stream, id: id, credit: limits.streamCredit - body.readableBytes)
      }
      let failure = HostError(
        .upstream, "answer", "the app's answer was not a valid response", log: error.message)
      return finish(call, id: id, keepPlace: stream != nil) { $0.fail(failure) }
    }
    guard let stream else {
      return finish(call, id: id) { call in
        guard !call.isFinished else { return }
        call.phase = .done
        call.session = nil
        call.answer(head: head, body: body, isComplete: true)
      }
    }
    call.answerStream = stream
    let isWanted = !call.isFinished
    answerStreams[stream] = AnswerStream(
      call: isWanted ? call : nil, requestID: id,
      credit: limits.streamCredit - body.readableBytes)
    if isWanted {
      call.phase = .answering(id)
      call.answer(head: head, body: body, isComplete: false)
    } else {
      socket?.send { StreamSignal.stop(stream: stream).write(to: &$0) }
    }
  }

  /// Remembers a stream nobody will read, until it ends.
  private func refuse(stream: Int64, id: Int64, credit: Int) {
    answerStreams[stream] = AnswerStream(call: nil, requestID: id, credit: credit)
    socket?.send { StreamSignal.stop(stream: stream).write(to: &$0) }
  }

  /// The call has its answer, whole or failed.
  private func finish(
    _ call: GuestCall, id: Int64, keepPlace: Bool = false, _ deliver: (GuestCall) -> Void
  ) {
    dropRequestBody(of: call)
    deliver(call)
    guard !keepPlace else { return }
    calls[id] = nil
    owner?.sessionFinishedCall(self)
  }

  /// The answer is whole before the request's body is: nobody reads the rest.
  private func dropRequestBody(of call: GuestCall) {
    guard let stream = call.requestStream else { return }
    socket?.send {
      StreamSignal.data(stream: stream, end: true, failure: "answered").write(to: &$0)
    }
    closeRequestStream(of: call)
    if !call.isFinished { call.stopRequestBody() }
  }

  private static func failure(_ error: RPCError) -> HostError {
    if error.code == HostError.Area.cancelled.rpcCode {
      return HostError(.cancelled, "", "the call was cancelled")
    }
    return HostError(
      .upstream, "app_error", "the app answered with an error",
      log: "\(error.code) \(error.word): \(error.message)")
  }

  private func receive(
    _ signal: StreamSignal, body: ByteBuffer
  ) throws(ProtocolViolation) {
    switch signal {
    case .data(let stream, let isEnd, let failure):
      try receiveData(stream: stream, isEnd: isEnd, failure: failure, body: body)
    case .credit(let stream, let bytes):
      guard let call = requestStreams[stream] else { return grantReply(stream, bytes) }
      // More than an Int32 of credit is as good as any: a request's body is granted again before it runs out.
      call.heldGrant = min(call.heldGrant + bytes, Int(Int32.max))
      widenWindow(of: call)
    case .stop(let stream):
      guard let call = requestStreams[stream] else {
        replies[stream]?.rest.stop()
        return
      }
      socket?.send { StreamSignal.data(stream: stream, end: true, failure: nil).write(to: &$0) }
      closeRequestStream(of: call)
      call.stopRequestBody()
    case .cancel(let id):
      // The host answers every request within its own bounds; the answer is on its way.
      _ = id
    }
  }

  private func receiveData(
    stream: Int64, isEnd: Bool, failure: String?, body: ByteBuffer
  ) throws(ProtocolViolation) {
    guard var entry = answerStreams[stream] else {
      throw ProtocolViolation(.streamUnknown, "data for stream \(stream), which is not open")
    }
    entry.credit -= body.readableBytes
    guard entry.credit >= 0 else {
      throw ProtocolViolation(.streamCredit, "stream \(stream) sent more than it was granted")
    }
    answerStreams[stream] = isEnd ? nil : entry
    if isEnd, entry.requestID == Self.noRequest { unwantedStreams -= 1 }
    if isEnd, let call = entry.call { dropRequestBody(of: call) }
    if let call = entry.call, !call.isFinished {
      if isEnd, failure != nil {
        call.fail(
          HostError(.upstream, "aborted", "the app broke off its answer", log: failure ?? ""))
      } else if isEnd || body.readableBytes > 0 {
        if isEnd {
          call.phase = .done
          call.session = nil
        }
        call.answer(body: body, isComplete: isEnd)
      }
    }
    guard isEnd, let call = calls[entry.requestID] else { return }
    finish(call, id: entry.requestID) { _ in }
  }

  private func receive(
    _ request: Message.Request, body: ByteBuffer
  ) throws(ProtocolViolation) {
    guard !guestRequests.contains(request.id) else {
      throw ProtocolViolation(.requestDuplicateID, "a request under an id that is in flight")
    }
    if let stream = request.stream {
      // No method of version 1 takes a streamed body from a guest; the stream is refused, not the guest.
      try checkOpening(stream, body: body)
      guard unwantedStreams < limits.toHost else {
        throw ProtocolViolation(
          .streamUnknown, "more than \(limits.toHost) streams that no method takes are open")
      }
      unwantedStreams += 1
      refuse(
        stream: stream, id: Self.noRequest, credit: limits.streamCredit - body.readableBytes)
      let error = HostError(.params, "stream", "\(request.method) takes no streamed body")
      return reply(.failure(error), to: request.id)
    }
    guard guestRequests.count < limits.toHost else {
      let error = HostError(
        .overloaded, "in_flight", "more than \(limits.toHost) requests at once; wait for answers")
      return reply(.failure(error), to: request.id)
    }
    guestRequests.insert(request.id)
    let loop = NIOLoopBound(self, eventLoop: eventLoop)
    let id = request.id
    service.handle(
      ServiceRequest(
        method: request.method, params: request.params, body: body, meta: request.meta)
    ) { answer in
      if loop.eventLoop.inEventLoop {
        loop.value.finish(id, with: answer)
      } else {
        loop.eventLoop.execute { loop.value.finish(id, with: answer) }
      }
    }
  }

  private var eventLoop: any EventLoop {
    guard let loop = socket?.channel.eventLoop else { preconditionFailure("no channel yet") }
    return loop
  }

  private func finish(_ id: RequestID, with answer: ServiceReply) {
    guard phase != .ended, guestRequests.remove(id) != nil else {
      if case .stream(_, _, let rest) = answer { rest.stop() }
      return
    }
    reply(answer, to: id)
  }

  private func reply(_ answer: ServiceReply, to id: RequestID) {
    switch answer {
    case .failure(let error):
      let response = Message.response(.init(id: id, outcome: .error(error)))
      socket?.send { response.write(to: &$0) }
    case .result(let result, let body):
      let response = Message.response(.init(id: id, outcome: .result(result)))
      let json = response.encoded
      guard json.count <= limits.jsonBytes, json.count + body.readableBytes + 4 <= limits.frameBytes
      else {
        let error = HostError(
          .quota, "frame", "the answer is larger than one frame; ask for less at a time")
        return reply(.failure(error), to: id)
      }
      socket?.send(body: body) { $0.raw(json) }
    case .stream(let result, let first, let rest): open(rest, of: id, result, first)
    }
  }

  /// Answers, and sends the rest of the body as it comes.
  private func open(
    _ rest: any StreamedReply, of id: RequestID, _ result: JSONValue, _ first: ByteBuffer
  ) {
    let stream = nextStream
    nextStream += 1
    let response = Message.response(.init(id: id, outcome: .result(result), stream: stream))
    socket?.send(body: first) { response.write(to: &$0) }
    replies[stream] = OpenReply(rest: rest)
    let session = NIOLoopBound(self, eventLoop: eventLoop)
    rest.begin { piece in
      if session.eventLoop.inEventLoop {
        session.value.send(piece, on: stream)
      } else {
        session.eventLoop.execute { session.value.send(piece, on: stream) }
      }
    }
  }

  private func send(_ piece: StreamedPiece, on stream: Int64) {
    guard phase != .ended, replies[stream] != nil else { return }
    switch piece {
    case .data(let data):
      socket?.send(body: data) {
        StreamSignal.data(stream: stream, end: false, failure: nil).write(to: &$0)
      }
    case .end(let failure):
      replies[stream] = nil
      socket?.send {
        StreamSignal.data(stream: stream, end: true, failure: failure).write(to: &$0)
      }
    }
  }

  /// Passes on what the guest granted, but nothing while it has much to read already: a guest that grants what it does
  /// not read cannot fill the host's memory.
  private func grantReply(_ stream: Int64, _ bytes: Int = 0) {
    guard var reply = replies[stream] else { return }
    reply.heldGrant = min(reply.heldGrant + bytes, Int(Int32.max))
    if let socket, socket.pendingBytes < Self.pauseReadingAbove, reply.heldGrant > 0 {
      reply.rest.grant(reply.heldGrant)
      reply.heldGrant = 0
    }
    replies[stream] = reply
  }
}

// MARK: Deadlines

extension GuestSession {
  /// Fails calls whose answer has not begun within `deadline` of the last the guest was sent of them, and tells the guest
  /// to stop working on them.
  func expire(now: NIODeadline, deadline: TimeAmount) {
    for (id, call) in calls where call.phase == .sent(id) && now - call.waitingSince > deadline {
      if call.requestStream != nil { abortBody(of: call) }
      let seconds = deadline.nanoseconds / 1_000_000_000
      call.fail(HostError(.deadline, "", "the app did not answer within \(seconds) s"))
      call.phase = .abandoned(id)
      socket?.send { StreamSignal.cancel(.number(id)).write(to: &$0) }
    }
  }
}
