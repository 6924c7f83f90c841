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
  private var reader: FrameReader
  private var socket: GuestSocket?
  private var waiting: [Int64: Waiting] = [:]
  private var beforeActive: [(Int64, Message.Request, ByteBuffer)] = []
  private var nextID: Int64 = 1
  private var isOver = false
  /// Called once when the worker is gone or must go.
  private let onEnd: (ProtocolViolation?) -> Void
  /// Called with each `sql.stats` notification.
  private let onStatistics: (JSONValue) -> Void

  init(
    onStatistics: @escaping (JSONValue) -> Void, onEnd: @escaping (ProtocolViolation?) -> Void
  ) {
    self.onStatistics = onStatistics
    self.onEnd = onEnd
    reader = FrameReader(limits: limits)
  }

  var inFlight: Int { waiting.count }

  func send(
    _ request: ServiceRequest, until: NIODeadline, reply: @escaping @Sendable (ServiceReply) -> Void
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

  func channelActive(context: ChannelHandlerContext) {
    let socket = GuestSocket(channel: context.channel)
    self.socket = socket
    for (_, message, body) in beforeActive {
      socket.send(body: body) { Message.request(message).write(to: &$0) }
    }
    beforeActive = []
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    reader.append(unwrapInboundIn(data))
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
      case .result(let result): entry.reply(.result(result, body: frame.body))
      case .error(let error): entry.reply(.failure(error))
      }
    case .notification(let method, let params):
      if method == "sql.stats" { onStatistics(params) }
    case .request:
      throw ProtocolViolation(.messageInvalid, "the SQL worker asked something of the host")
    }
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
    let all = waiting
    waiting = [:]
    for entry in all.values { entry.reply(.failure(Self.lost)) }
    socket?.channel.close(promise: nil)
    onEnd(violation)
  }
}
