// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// From the bytes of a head to whoever answers it.
extension GatewayConnection {
  /// True if a request began, so that there is more to do.
  func readHead() -> Bool {
    guard inbox.readableBytes > 0, !isBacklogged else { return false }
    switch inbox.withUnsafeReadableBytes({ parser.parse($0) }) {
    case .incomplete:
      if headSince == 0 { headSince = max(loop.now, 1) }
      return false
    case .refused(let refusal):
      refuse(refusal)
      return false
    case .complete:
      beginRequest()
      return true
    }
  }

  private func beginRequest() {
    inbox.moveReaderIndex(forwardBy: parser.skipped)
    headBytes = inbox.readSlice(length: parser.head.byteCount) ?? ByteBuffer()
    headSince = 0
    requestBegan = .now()
    keepsAlive = parser.head.keepsAlive && !loop.isShuttingDown && !inputHasEnded
    decoder = BodyDecoder(parser.head)
    do throws(Refusal) {
      try route()
    } catch {
      refuse(error)
    }
  }

  private func route() throws(Refusal) {
    guard let name = try appName() else { return answerForHost() }
    guard let origin = core.origins.origin(named: name) else { throw .unknownOrigin }
    self.origin = origin
    chargedTo = origin.traffic
    origin.traffic.count(received: parser.head.byteCount)
    if parser.head.wantsWebSocket { throw .upgrade }
    if isAboutServer { return answerEmpty(204, "allow: GET, HEAD, POST, PUT, PATCH, DELETE\r\n") }
    try identify(for: origin)
    if let root = origin.assetRoot, parser.head.method == .get || parser.head.method == .head,
      let path = headBytes.withUnsafeReadableBytes({
        AssetPath.read(parser.head.target.bytes(in: $0))
      })
    {
      lookUp(path, in: root)
    } else {
      try dispatch()
    }
  }

  /// The label before the suffix; nil for the host's own name.
  private func appName() throws(Refusal) -> String? {
    let (route, agrees) = headBytes.withUnsafeReadableBytes { bytes in
      let host = parser.head.host.bytes(in: bytes)
      let agrees = parser.head.authority.map { HostName.same($0.bytes(in: bytes), host) } ?? true
      return (core.hostName.route(host), agrees)
    }
    guard agrees else { throw .hostConflict }
    switch route {
    case .malformed: throw .malformed("The Host header is not a name.")
    case .unknown: throw .unknownOrigin
    case .host: return nil
    case .app(let name): return name
    }
  }

  /// `OPTIONS *` asks about the server, not about an app (RFC 9110 §9.3.7).
  private var isAboutServer: Bool {
    parser.head.method == .options && parser.head.target.count == 1
      && headBytes.withUnsafeReadableBytes { $0[Int(parser.head.target.start)] }
        == UInt8(ascii: "*")
  }

  /// Where the request comes from and who is asking.
  private func identify(for origin: AppOrigin) throws(Refusal) {
    client = direct
    identity = nil
    if peerIsTrusted {
      let outcome = headBytes.withUnsafeReadableBytes { bytes in
        client = core.policy.client(parser.head, bytes, peer: peer)
        return Result { () throws(Refusal) in try core.policy.identity(parser.head, bytes) }
      }
      identity = try outcome.get()
    }
    guard core.policy.identityHeaders != nil, identity == nil else { return }
    let isPublic = headBytes.withUnsafeReadableBytes {
      PublicPaths.contain(parser.head.target.bytes(in: $0), origin.publicPaths)
    }
    guard isPublic else { throw .unauthenticated }
  }

  private func answerForHost() {
    let isPage = headBytes.withUnsafeReadableBytes { bytes in
      ASCII.equals(parser.head.target.bytes(in: bytes), "/")
    }
    guard isPage, parser.head.method == .get || parser.head.method == .head else {
      return refuse(Refusal(404, "not_found", "There is no such page.", closes: false))
    }
    let page = Array(core.options.hostPage().utf8)
    answerBytes(200, page, contentType: "text/html; charset=utf-8", "cache-control: no-cache\r\n")
  }

  // MARK: to the app

  /// Hands the request to the app, or first gathers its body.
  func dispatch() throws(Refusal) {
    if decoder.isDone { return start(ByteBuffer(), isComplete: true) }
    if let length = parser.head.contentLength, length <= core.bounds.gatheredBodyMax {
      if inbox.readableBytes < length { return beginGathering() }
      return start(try readBody(max: length) ?? ByteBuffer(), isComplete: true)
    }
    bodyCredit = FrameLimits().streamCredit
    let first = try readBody(max: bodyCredit) ?? ByteBuffer()
    bodyCredit -= first.readableBytes
    readRate = RateWindow()
    start(first, isComplete: decoder.isDone)
    if phase == .exchange, answerFraming == nil { continueIfExpected() }
  }

  private func beginGathering() {
    phase = .gathering
    gathered = ByteBuffer()
    readRate = RateWindow()
    continueIfExpected()
  }

  func gather() -> Bool {
    do throws(Refusal) {
      if var piece = try readBody(max: core.bounds.gatheredBodyMax) {
        if gathered.readableBytes == 0 { gathered = piece } else { gathered.writeBuffer(&piece) }
      }
    } catch {
      refuse(error)
      return false
    }
    guard decoder.isDone else { return false }
    let body = gathered
    gathered = ByteBuffer()
    start(body, isComplete: true)
    return true
  }

  private func start(_ body: ByteBuffer, isComplete: Bool) {
    guard let origin else { return }
    let receiver = AnswerReceiver(self, loop.eventLoop)
    self.receiver = receiver
    phase = .exchange
    bodyIsUnwanted = false
    droppedBytes = 0
    let head = headBytes.withUnsafeReadableBytes { bytes in
      GuestHead.make(
        parser.head, bytes, client: client, identity: identity, policy: core.policy,
        isFromTrustedProxy: peerIsTrusted,
        bodyCount: isComplete && parser.head.isChunked
          ? body.readableBytes : nil)
    }
    let exchange = origin.backend.start(
      head, body: body, bodyIsComplete: isComplete, receiver: receiver)
    guard receiver.isOpen else {
      // Answered already; the rest of its body will be dropped.
      if !isComplete { exchange.abortBody() }
      return
    }
    receiver.exchange = exchange
    grantAnswer()
  }

  private func continueIfExpected() {
    guard parser.head.expectsContinue, !hasContinued, inbox.readableBytes == 0 else { return }
    hasContinued = true
    reserveOut(32)
    outbox.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
    flushSoon()
  }
}
