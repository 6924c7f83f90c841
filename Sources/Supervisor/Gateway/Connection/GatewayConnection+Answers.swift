// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Logging
import NIOCore

/// The answer on its way to the client.
extension GatewayConnection {
  /// A body up to this is copied behind its head; a larger one is written beside it, in bytes.
  static let copiedBodyMax = 8192

  // MARK: from the app

  func answer(_ head: HTTPResponseHead, _ body: ByteBuffer, isComplete: Bool) {
    guard phase == .exchange, answerFraming == nil else { return abandonAnswer() }
    var answer = AnswerHead(
      head, bodyCount: body.readableBytes, isComplete: isComplete,
      isHEAD: parser.head.method == .head, isHTTP11: parser.head.isHTTP11)
    guard let framing = answer.framing() else {
      receiver?.exchange?.cancel()
      return answerFailed(
        HostError(
          .upstream, "app.head", "The app's answer has headers that cannot be sent.",
          log: "status \(head.status)"))
    }
    if framing == .untilClose { keepsAlive = false }
    answerStatus = head.status
    answerFraming = framing
    if case .length(let count) = framing { answerRemaining = count }
    decideOnConnection(isLast: isComplete || framing == AnswerFraming.none)
    reserveOut(256 + 64 * head.headers.count + min(body.readableBytes, Self.copiedBodyMax))
    let before = outbox.writerIndex
    answer.write(framing, connection: connectionWord, date: loop.dateLine, to: &outbox)
    origin?.traffic.count(sent: outbox.writerIndex - before)
    writeAnswer(body, isComplete: isComplete)
  }

  func answer(_ body: ByteBuffer, isComplete: Bool) {
    guard phase == .exchange, answerFraming != nil else { return abandonAnswer() }
    writeAnswer(body, isComplete: isComplete)
  }

  /// There will be no answer, or no more of it. One that has begun is cut off, so that the client cannot take the part
  /// for the whole.
  func answerFailed(_ error: HostError) {
    guard phase == .exchange else { return }
    if !error.logDetail.isEmpty {
      core.logger.info(
        "a request failed", metadata: ["app": "\(origin?.appID ?? "")", "error": "\(error)"])
    }
    receiver?.close()
    receiver = nil
    guard answerFraming == nil else {
      countRequest()
      return closeGracefully(lingers: false)
    }
    answerError(ErrorAnswer(error))
  }

  /// The backend broke its promise of one answer. The connection cannot be trusted to be in step.
  private func abandonAnswer() {
    guard phase != .closed, phase != .lingering else { return }
    core.logger.error("an answer came out of turn", metadata: ["app": "\(origin?.appID ?? "")"])
    closeNow()
  }

  private func writeAnswer(_ body: ByteBuffer, isComplete: Bool) {
    switch answerFraming {
    case .chunked: writeChunk(body, isLast: isComplete)
    case .length: guard writeCounted(body, isLast: isComplete) else { return }
    case .untilClose: writeBody(body)
    case AnswerFraming.none?, nil:
      if !isComplete { receiver?.exchange?.cancel() }
      return finishAnswer()
    }
    if isComplete { return finishAnswer() }
    ungranted += body.readableBytes
    flushSoon()
    grantAnswer()
  }

  /// False if the app's body is not as long as it said, and the connection has been ended.
  private func writeCounted(_ body: ByteBuffer, isLast: Bool) -> Bool {
    let count = body.readableBytes
    answerRemaining -= count
    let fits = answerRemaining >= 0 && !(isLast && answerRemaining > 0)
    if fits {
      writeBody(body)
      return true
    }
    core.logger.info(
      "an answer is not as long as its content-length says",
      metadata: ["app": "\(origin?.appID ?? "")"])
    if answerRemaining < 0,
      let part = body.getSlice(at: body.readerIndex, length: count + answerRemaining)
    {
      writeBody(part)
    } else {
      writeBody(body)
    }
    receiver?.exchange?.cancel()
    receiver?.close()
    receiver = nil
    countRequest()
    closeGracefully(lingers: false)
    return false
  }

  private func writeChunk(_ body: ByteBuffer, isLast: Bool) {
    reserveOut(32 + min(body.readableBytes, Self.copiedBodyMax))
    if body.readableBytes > 0 {
      outbox.writeChunkLine(body.readableBytes)
      writeBody(body)
      reserveOut(16)
      outbox.writeStaticString("\r\n")
    }
    if isLast { outbox.writeStaticString("0\r\n\r\n") }
  }

  func writeBody(_ body: ByteBuffer) {
    let count = body.readableBytes
    guard count > 0 else { return }
    origin?.traffic.count(sent: count)
    if count <= Self.copiedBodyMax {
      reserveOut(count)
      outbox.writeImmutableBuffer(body)
    } else {
      writeOut()
      write(.byteBuffer(body))
    }
  }

  /// Lets the app go on as fast as the client reads. Granted in larger pieces, so that not every one costs a frame.
  func grantAnswer() {
    guard ungranted > 0, phase == .exchange, let exchange = receiver?.exchange else { return }
    if ungranted < FrameLimits().streamCredit / 4 { return }
    guard context.channel.isWritable else { return }
    let bytes = ungranted
    ungranted = 0
    exchange.grantAnswerBody(bytes: bytes)
  }

  // MARK: from the gateway itself

  func refuse(_ refusal: Refusal) {
    guard phase != .closed, phase != .lingering else { return }
    if refusal.closes { keepsAlive = false }
    receiver?.exchange?.cancel()
    receiver?.close()
    receiver = nil
    answerError(ErrorAnswer(refusal))
  }

  func answerError(_ error: ErrorAnswer, _ fields: String = "") {
    let asHTML = headBytes.withUnsafeReadableBytes { ErrorAnswer.wantsHTML(parser.head, $0) }
    var fields = fields + "cache-control: no-store\r\n"
    if let seconds = error.retryAfter { fields += "retry-after: \(seconds)\r\n" }
    // RFC 9110 §11.6.1 asks for a challenge; a proxy in front knows better what to do.
    if error.status == 401 { fields += "www-authenticate: Bulkhead realm=\"apps\"\r\n" }
    answerBytes(
      error.status, error.body(asHTML: asHTML),
      contentType: ErrorAnswer.contentType(asHTML: asHTML), fields)
  }

  /// A whole answer at once.
  func answerBytes(
    _ status: Int, _ body: [UInt8], contentType: StaticString, _ fields: String = ""
  ) {
    beginOwnAnswer(status, capacity: 256 + body.count)
    let before = outbox.writerIndex
    outbox.writeBytes(StatusLine.bytes(status))
    outbox.writeBytes(loop.dateLine)
    outbox.writeStaticString("content-type: ")
    outbox.writeStaticString(contentType)
    outbox.writeStaticString("\r\n")
    AnswerHead.writeLength(body.count, to: &outbox)
    outbox.writeString(fields)
    connectionWord.write(to: &outbox)
    outbox.writeStaticString("\r\n")
    if parser.head.method != .head { outbox.writeBytes(body) }
    origin?.traffic.count(sent: outbox.writerIndex - before)
    finishAnswer()
  }

  /// An answer without a body.
  func answerEmpty(_ status: Int, _ fields: String) {
    beginOwnAnswer(status, capacity: 256)
    let before = outbox.writerIndex
    outbox.writeBytes(StatusLine.bytes(status))
    outbox.writeBytes(loop.dateLine)
    outbox.writeString(fields)
    if status != 204, status != 304 { AnswerHead.writeLength(0, to: &outbox) }
    connectionWord.write(to: &outbox)
    outbox.writeStaticString("\r\n")
    origin?.traffic.count(sent: outbox.writerIndex - before)
    finishAnswer()
  }

  func beginOwnAnswer(_ status: Int, capacity: Int) {
    answerStatus = status
    answerFraming = .length(0)
    decideOnConnection(isLast: true)
    reserveOut(capacity)
  }

  // MARK: the end of an answer

  /// Whether the connection can be used again. Not if more of the request's body is to come than is worth reading, or
  /// if the client was never told to send it: it may or may not, and the next request could not be told from it.
  private func decideOnConnection(isLast: Bool) {
    guard isLast, !decoder.isDone else { return }
    let isUncertain = parser.head.expectsContinue && !hasContinued
    if isUncertain || (decoder.remaining ?? 0) > core.bounds.drainedBodyMax { keepsAlive = false }
  }

  var connectionWord: ConnectionWord {
    if !keepsAlive { return .close }
    return parser.head.isHTTP11 ? .implied : .keepAlive
  }

  /// Once for each request of an app, when its answer is whole or cut off.
  private func countRequest() {
    guard let traffic = origin?.traffic else { return }
    let taken = NIODeadline.now() - requestBegan
    traffic.countRequest(status: answerStatus, microseconds: taken.nanoseconds / 1_000)
  }

  func finishAnswer() {
    countRequest()
    if !decoder.isDone, let exchange = receiver?.exchange { exchange.abortBody() }
    receiver?.close()
    receiver = nil
    guard keepsAlive else {
      return closeGracefully(
        lingers: !decoder.isDone || answerStatus >= 400 || inbox.readableBytes > 0)
    }
    if decoder.isDone {
      nextRequest()
    } else {
      phase = .draining
      phaseSince = loop.now
      droppedBytes = 0
      readRate = RateWindow()
    }
    flushSoon()
    process()
  }

  /// Forgets the request that has been answered.
  func nextRequest() {
    parser.reset()
    headBytes = ByteBuffer()
    origin = nil
    identity = nil
    answerFraming = nil
    answerRemaining = 0
    ungranted = 0
    hasContinued = false
    phase = .head
    phaseSince = loop.now
  }
}
