// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Logging
import NIOCore

/// One client's connection: reads requests, answers them in order, one at a time. A further request that has already
/// arrived waits, bounded, in `inbox`; a client that sends or reads faster than the other side is held back by leaving
/// its socket alone.
///
/// This file holds the state and the channel's events; what happens to a request is in the extensions.
///
// SAFETY: everything is used on the loop's event loop only.
final class GatewayConnection: ChannelDuplexHandler, @unchecked Sendable {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = IOData
  typealias OutboundOut = IOData

  enum Phase {
    /// Waits for a request, or for the rest of a head.
    case head
    /// Reads a small body whole before the app is asked.
    case gathering
    /// Files are being looked at.
    case files
    /// The app has the request; its body may still be on its way.
    case exchange
    /// The answer is a file, not all of it sent.
    case sendingFile
    /// The answer is out; the rest of the request's body is read and dropped.
    case draining
    /// Nothing more will be written; what still arrives is dropped, for a short while.
    case lingering
    case closed
  }

  let core: GatewayCore
  let loop: GatewayLoop
  /// Where the loop keeps this connection; −1 for nowhere.
  var index = -1
  private(set) var context: ChannelHandlerContext!
  private(set) var peer = IPAddress(high: 0, low: 0)
  private(set) var direct = ClientPolicy.Client(ip: "", scheme: "http")
  private(set) var peerIsTrusted = false
  private var isAdmitted = false

  var phase = Phase.head
  var inbox = ByteBuffer()
  var outbox = ByteBuffer()
  private var isReading = false
  /// The thread's CPU clock when this turn of reading began, and whose work it turned out to be.
  private var workBegan: Int64 = 0
  var chargedTo: (any TrafficCounter)?
  private var isProcessing = false
  private var needsFlush = false
  private var isReadHeldBack = false
  /// The client will send nothing more.
  private(set) var inputHasEnded = false

  // MARK: the request under way

  var parser: HeadParser
  var headBytes = ByteBuffer()
  var decoder = BodyDecoder(RequestHead())
  var gathered = ByteBuffer()
  var origin: AppOrigin?
  /// When the head was whole.
  var requestBegan = NIODeadline.now()
  var client = ClientPolicy.Client(ip: "", scheme: "http")
  var identity: Identity?
  var receiver: AnswerReceiver?
  var keepsAlive = true
  var hasContinued = false
  /// Bytes of the request's body that the app still takes.
  var bodyCredit = 0
  var bodyIsUnwanted = false
  var droppedBytes = 0

  // MARK: its answer

  var answerStatus = 0
  var answerFraming: AnswerFraming?
  /// What is still to come of an answer that has said its length.
  var answerRemaining = 0
  var ungranted = 0
  var file: FileTransfer?

  // MARK: what runs out

  /// When the head under way began; 0 if none has. Milliseconds of the loop's clock.
  var headSince: Int64 = 0
  var phaseSince: Int64 = 0
  var lingered = 0
  var readRate = RateWindow()
  var writeRate = RateWindow()
  /// Bytes handed to the channel.
  var writtenBytes = 0
  var sentAtLastTick = 0

  init(core: GatewayCore, loop: GatewayLoop) {
    self.core = core
    self.loop = loop
    parser = HeadParser(core.bounds)
  }

  // MARK: the channel's events

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func channelActive(context: ChannelHandlerContext) {
    peer = IPAddress(context.remoteAddress) ?? peer
    peerIsTrusted = core.policy.trusts(peer)
    direct.ip = peer.description
    loop.add(self)
    phaseSince = loop.now
    isAdmitted = core.admit(peer, isTrusted: peerIsTrusted)
    if !isAdmitted {
      refuse(.tooManyConnections)
    } else if loop.isShuttingDown {
      closeNow()
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    phase = .closed
    if isAdmitted { core.leave(peer, isTrusted: peerIsTrusted) }
    isAdmitted = false
    receiver?.exchange?.cancel()
    receiver?.close()
    receiver = nil
    file?.close()
    file = nil
    loop.remove(self)
  }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if !isReading { workBegan = HostWork.beginOnLoop() }
    isReading = true
    guard phase != .lingering, phase != .closed else { return linger(bytes.readableBytes) }
    readRate.add(bytes.readableBytes)
    if inbox.readableBytes == 0 {
      inbox = bytes
    } else {
      inbox.discardReadBytes()
      inbox.writeBuffer(&bytes)
    }
    process()
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    if needsFlush { flushOut() }
    // What this turn did was for the app that was asked last: one connection seldom asks two in one turn.
    let spent = HostWork.endOnLoop(since: workBegan)
    chargedTo?.chargeHost(nanoseconds: spent)
    chargedTo = nil
  }

  func read(context: ChannelHandlerContext) {
    if wantsBytes { context.read() } else { isReadHeldBack = true }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    writeRate = RateWindow()
    guard context.channel.isWritable else { return }
    if phase == .sendingFile { sendFile() }
    grantAnswer()
    process()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent {
      inputHasEnded = true
      inputEnded()
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    core.logger.debug("a connection failed", metadata: ["error": "\(error)"])
    closeNow()
  }

  // MARK: reading

  /// Takes the request under way, and those after it, as far as what has arrived allows.
  func process() {
    guard !isProcessing else { return }
    isProcessing = true
    while advance() {}
    isProcessing = false
    // Lets go of what has been read, so that the next read can use its memory again.
    if inbox.readableBytes == 0 { inbox = ByteBuffer() }
    if needsFlush, !isReading { flushOut() }
    if isReadHeldBack, wantsBytes {
      isReadHeldBack = false
      context.read()
    }
  }

  private func advance() -> Bool {
    switch phase {
    case .head: readHead()
    case .gathering: gather()
    case .exchange: forwardBody()
    case .draining: drain()
    case .files, .sendingFile, .lingering, .closed: false
    }
  }

  private var wantsBytes: Bool {
    switch phase {
    case .head: !isBacklogged || inbox.readableBytes < core.bounds.pipelinedBytesMax
    case .files, .sendingFile: inbox.readableBytes < core.bounds.pipelinedBytesMax
    case .exchange: decoder.isDone ? inbox.readableBytes < core.bounds.pipelinedBytesMax : takesBody
    case .gathering, .draining, .lingering: true
    case .closed: false
    }
  }

  // MARK: writing

  /// Whether the client is behind with reading its answers.
  var isBacklogged: Bool {
    if outbox.readableBytes > 65_536 { flushOut() }
    return !context.channel.isWritable
  }

  /// Makes room for so many bytes of an answer.
  func reserveOut(_ count: Int) {
    if outbox.capacity == 0 {
      outbox = context.channel.allocator.buffer(capacity: max(count, 256))
    } else {
      outbox.reserveCapacity(minimumWritableBytes: count)
    }
  }

  /// Sends what is written: at once, or when all that has arrived together has been looked at.
  func flushSoon() {
    if isReading || isProcessing { needsFlush = true } else { flushOut() }
  }

  func flushOut() {
    needsFlush = false
    writeOut()
    context?.flush()
  }

  /// Hands the channel what has been written so far.
  func writeOut() {
    guard outbox.readableBytes > 0 else { return }
    write(.byteBuffer(outbox))
    outbox = ByteBuffer()
  }

  func write(_ data: IOData, promise: EventLoopPromise<Void>? = nil) {
    writtenBytes += data.readableBytes
    guard let context else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    context.write(wrapOutboundOut(data), promise: promise)
  }

  // MARK: closing

  /// Writes what is to be written, then closes.
  ///
  /// - Parameter lingers: whether the client may still be sending. Closing at once would then reset the connection and
  ///   take the answer from under its eyes (RFC 9112 §9.6).
  func closeGracefully(lingers: Bool) {
    guard phase != .closed, phase != .lingering, let context else { return }
    phase = .lingering
    phaseSince = loop.now
    inbox = ByteBuffer()
    writeOut()
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { _ in
      if lingers, !self.inputHasEnded {
        self.context?.close(mode: .output, promise: nil)
      } else {
        self.closeNow()
      }
    }
    write(.byteBuffer(ByteBuffer()), promise: promise)
    context.flush()
    if isReadHeldBack {
      isReadHeldBack = false
      context.read()
    }
  }

  func closeNow() {
    guard phase != .closed else { return }
    phase = .closed
    context?.close(promise: nil)
  }

  private func linger(_ count: Int) {
    lingered += count
    if lingered > core.bounds.lingeringBytesMax { closeNow() }
  }

  /// The client has closed its side. An answer that is being written is finished; an app that is still thinking is
  /// told that nobody waits, since a client that went away looks just the same.
  private func inputEnded() {
    keepsAlive = false
    switch phase {
    case .head, .draining: closeGracefully(lingers: false)
    case .gathering: closeNow()
    case .exchange: closeNow()
    case .lingering: if isFlushed { closeNow() }
    case .files, .sendingFile, .closed: break
    }
  }

  private var isFlushed: Bool {
    (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 == 0
  }

  /// For shutdown: at once if it waits for a request, else after the one it has.
  func finishAndClose() {
    keepsAlive = false
    if phase == .head, headSince == 0 { closeGracefully(lingers: false) }
  }
}
