// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// The host's socket to one SQL worker: `sql.*` requests go out, answers come back. Confined to its event loop.
///
/// What a worker says is no more trusted than what a guest says: it runs the guest's SQL.
final class SQLWorkerLink: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private struct Waiting {
    var reply: @Sendable (ServiceReply) -> Void
    var until: NIODeadline
  }

  private let limits = FrameLimits()
  private let hostWork: HostWork?
  private var reader: FrameReader
  private var socket: GuestSocket?
  private var waiting: [Int64: Waiting] = [:]
  private var streaming: [Int64: WorkerStream] = [:]
  private var beforeActive: [(Int64, Message.Request, ByteBuffer)] = []
  private var quotaBeforeActive: Int64?
  private var nextID: Int64 = 1
  private var isOver = false
  /// Called once when the worker is gone or must go.
  private let onEnd: (ProtocolViolation?) -> Void
  /// Called when the worker finds a damaged database, or ends the guest's socket for what it sent.
  private let onTrouble: (String, JSONValue) -> Void
  /// Called with each `sql.stats` notification.
  private let onStatistics: (JSONValue) -> Void

  /// - Parameter hostWork: where reading is charged.
  init(
    hostWork: HostWork?, onStatistics: @escaping (JSONValue) -> Void,
    onTrouble: @escaping (String, JSONValue) -> Void, onEnd: @escaping (ProtocolViolation?) -> Void
  ) {
    self.hostWork = hostWork
    self.onStatistics = onStatistics
    self.onTrouble = onTrouble
    self.onEnd = onEnd
    reader = FrameReader(limits: limits)
  }

  var inFlight: Int { waiting.count }

  func send(
    _ request: ServiceRequest, until: NIODeadline,
    reply: @escaping @Sendable (ServiceReply) -> Void
  ) {
    guard !isOver else { return reply(.failure(Self.lost)) }
    let id = nextID
    nextID += 1
    waiting[id] = Waiting(reply: reply, until: until)
    let message = Message.Request(
      id: .number(id), method: request.method, params: request.params, meta: request.meta)
    if let socket {
      socket.send(body: request.body) { Message.request(message).write(to: &$0) }
    } else {
      beforeActive.append((id, message, request.body))
    }
  }

  /// Tells how many bytes the databases may hold in all.
  func tell(quota bytes: Int64) {
    guard !isOver else { return }
    guard let socket else {
      quotaBeforeActive = bytes
      return
    }
    // One byte is no storage at all; 0 would be storage without bound.
    let message = Message.notification(
      method: "sql.quota", params: ["bytes": .int(max(1, bytes))])
    socket.send { message.write(to: &$0) }
  }

  func channelActive(context: ChannelHandlerContext) {
    let socket = GuestSocket(channel: context.channel, hostWork: hostWork)
    self.socket = socket
    if let quotaBeforeActive { tell(quota: quotaBeforeActive) }
    for (_, message, body) in beforeActive {
      socket.send(body: body) { Message.request(message).write(to: &$0) }
    }
    beforeActive = []
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    if let hostWork {
      hostWork.measured { receive(bytes) }
    } else {
      receive(bytes)
    }
  }

  private func receive(_ bytes: ByteBuffer) {
    reader.append(bytes)
    do throws(ProtocolViolation) {
      while !isOver, let frame = try reader.next() { try receive(frame) }
    } catch { end(error) }
  }

  func channelInactive(context: ChannelHandlerContext) { end(nil) }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { end(nil) }

  private func receive(_ frame: FrameReader.WireFrame) throws(ProtocolViolation) {
    switch try Message(frame.json) {
    case .response(let response):
      guard case .number(let id) = response.id, let entry = waiting.removeValue(forKey: id) else {
        throw ProtocolViolation(.responseUnknownID, "the SQL worker answered an unknown id")
      }
      switch response.outcome {
      case .result(let result): try receive(result, of: entry, response.stream, frame.body)
      case .error(let error): entry.reply(.failure(error))
      }
    case .notification(let method, let params):
      if method == "sql.stats" { onStatistics(params) }
      if method == "sql.corrupt" || method == "sql.violation" { onTrouble(method, params) }
      if let signal = try StreamSignal(method: method, params: params) {
        try receive(signal, frame.body)
      }
    case .request:
      throw ProtocolViolation(.messageInvalid, "the SQL worker asked something of the host")
    }
  }

  private func receive(
    _ result: JSONValue, of entry: Waiting, _ stream: Int64?, _ body: ByteBuffer
  ) throws(ProtocolViolation) {
    guard let stream else { return entry.reply(.result(result, body: body)) }
    guard let socket, streaming[stream] == nil, body.readableBytes <= limits.streamCredit else {
      throw ProtocolViolation(.streamUnknown, "the SQL worker opened a stream it may not")
    }
    let rest = WorkerStream(
      eventLoop: socket.channel.eventLoop, credit: limits.streamCredit - body.readableBytes
    ) { [weak self] signal in
      switch signal {
      case .credit(let bytes): self?.tell(.credit(stream: stream, bytes: bytes))
      case .stop: self?.tell(.stop(stream: stream))
      }
    }
    streaming[stream] = rest
    entry.reply(.stream(result, first: body, rest: rest))
  }

  private func tell(_ signal: StreamSignal) {
    guard !isOver else { return }
    socket?.send { signal.write(to: &$0) }
  }

  private func receive(
    _ signal: StreamSignal, _ body: ByteBuffer
  ) throws(ProtocolViolation) {
    guard case .data(let stream, let isEnd, let failure) = signal, let rest = streaming[stream]
    else { return }
    guard rest.receive(body) else {
      throw ProtocolViolation(.streamCredit, "the SQL worker sent more than it was granted")
    }
    guard isEnd else { return }
    streaming[stream] = nil
    rest.end(failure: failure)
  }

  /// A worker that let a deadline and its own watchdog pass is stuck: it has to go.
  func tick(now: NIODeadline) {
    guard waiting.values.contains(where: { now > $0.until }) else { return }
    let late = RPCError(
      HostError(.deadline, "sql", "the statement took too long and its worker was ended"))
    let all = waiting
    waiting = [:]
    for entry in all.values {
      entry.reply(.failure(now > entry.until ? late : RPCError(Self.lost)))
    }
    end(ProtocolViolation(.readerStalled, "the SQL worker did not answer in time"))
  }

  static let lost = HostError(
    .upstream, "sql", "the SQL worker ended before it answered; nothing uncommitted was kept")

  func end(_ violation: ProtocolViolation?) {
    guard !isOver else { return }
    isOver = true
    let (all, streams) = (waiting.values, streaming.values)
    waiting = [:]
    streaming = [:]
    for entry in all { entry.reply(.failure(Self.lost)) }
    for stream in streams { stream.end(failure: "\(Self.lost.code): \(Self.lost.message)") }
    socket?.channel.close(promise: nil)
    onEnd(violation)
  }
}
