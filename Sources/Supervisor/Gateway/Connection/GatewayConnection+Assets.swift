// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore

/// Files of an app, answered without it.
extension GatewayConnection {
  func lookUp(_ path: String, in root: String) {
    let answer = core.assets.lookUp(path, in: root, now: loop.nowSeconds)
    guard case .unknown = answer else { return serve(answer, root) }
    phase = .files
    core.assets.load(path, in: root, now: loop.nowSeconds, on: loop.eventLoop) { answer in
      guard self.phase == .files else { return }
      self.serve(answer, root)
      self.process()
    }
  }

  private func serve(_ answer: AssetStore.Answer, _ root: String) {
    switch answer {
    case .file(let asset): serve(asset, root)
    case .redirect: redirectToDirectory()
    case .absent, .unknown:
      do throws(Refusal) {
        try dispatch()
      } catch {
        refuse(error)
      }
    }
  }

  /// The same path with a slash, and the same query. Relative to the origin; begins with one slash, so it cannot name
  /// another server.
  private func redirectToDirectory() {
    let location = headBytes.withUnsafeReadableBytes { bytes in
      let target = parser.head.target.bytes(in: bytes)
      let end = target.firstIndex(of: ASCII.question) ?? target.count
      return String(decoding: target[..<end], as: UTF8.self) + "/"
        + String(decoding: target[end...], as: UTF8.self)
    }
    answerEmpty(308, "location: \(location)\r\ncache-control: no-cache\r\n")
  }

  private func serve(_ original: Asset, _ root: String) {
    let (asset, decision) = headBytes.withUnsafeReadableBytes { bytes in
      let asset = variant(of: original, bytes)
      return (asset, AssetDecision.decide(asset, parser.head, bytes))
    }
    switch decision {
    case .notModified: answerNotModified(asset)
    case .preconditionFailed:
      answerError(
        ErrorAnswer(
          Refusal(412, "asset.changed", "The file is not the one asked for.", closes: false)))
    case .rangeNotSatisfiable:
      answerError(
        ErrorAnswer(Refusal(416, "asset.range", "The file has no such part.", closes: false)),
        "content-range: bytes */\(asset.size)\r\n")
    case .whole: send(asset, nil, root)
    case .part(let range): send(asset, range, root)
    }
  }

  /// A precompressed form, if the client takes it. A range is always one of the plain file.
  private func variant(of asset: Asset, _ bytes: UnsafeRawBufferPointer) -> Asset {
    guard !asset.variants.isEmpty, parser.head.value(.range) == nil,
      let value = parser.head.value(.acceptEncoding)
    else { return asset }
    let accepted = AcceptedEncodings(value.bytes(in: bytes))
    return asset.variants.first { $0.encoding.map(accepted.takes) ?? false } ?? asset
  }

  private func answerNotModified(_ asset: Asset) {
    beginOwnAnswer(304, capacity: 128 + asset.validators.readableBytes)
    let before = outbox.writerIndex
    writeStatus(304)
    outbox.writeImmutableBuffer(asset.validators)
    outbox.writeStaticString("\r\n")
    origin?.traffic.count(sent: outbox.writerIndex - before)
    finishAnswer()
  }

  private func writeStatus(_ status: Int) {
    outbox.writeBytes(StatusLine.bytes(status))
    outbox.writeBytes(loop.dateLine)
    connectionWord.write(to: &outbox)
  }

  private func send(_ asset: Asset, _ range: Range<Int>?, _ root: String) {
    if parser.head.method == .head || asset.holdsContent {
      sendFromMemory(asset, range)
      return
    }
    if let opened = core.assets.openAtOnce(asset, in: root) { return send(asset, range, opened) }
    phase = .files
    core.assets.open(asset, in: root, on: loop.eventLoop) { opened in
      guard self.phase == .files else {
        if let opened { FileTransfer(descriptor: opened.descriptor, range: 0..<0).close() }
        return
      }
      self.send(asset, range, opened)
      self.process()
    }
  }

  private func sendFromMemory(_ asset: Asset, _ range: Range<Int>?) {
    beginOwnAnswer(range == nil ? 200 : 206, capacity: 128 + asset.headCount)
    let head = writeHead(asset, range)
    origin?.traffic.count(sent: head)
    if parser.head.method != .head {
      let range = range ?? 0..<asset.size
      if let content = asset.block.getSlice(
        at: asset.block.readerIndex + asset.headCount + range.lowerBound, length: range.count)
      {
        writeBody(content)
      }
    }
    finishAnswer()
  }

  /// - Returns: how many bytes it wrote.
  private func writeHead(_ asset: Asset, _ range: Range<Int>?) -> Int {
    let before = outbox.writerIndex
    writeStatus(range == nil ? 200 : 206)
    if let range {
      outbox.writeString("content-type: \(asset.contentType)\r\n")
      AnswerHead.writeLength(range.count, to: &outbox)
      outbox.writeString(
        "content-range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(asset.size)\r\n")
      outbox.writeImmutableBuffer(asset.validators)
      outbox.writeStaticString("accept-ranges: bytes\r\nx-content-type-options: nosniff\r\n\r\n")
    } else {
      asset.block.withUnsafeReadableBytes { block in
        _ = outbox.writeBytes(UnsafeRawBufferPointer(rebasing: block[..<asset.headCount]))
      }
    }
    return outbox.writerIndex - before
  }

  // MARK: large files

  private func send(
    _ known: Asset, _ range: Range<Int>?, _ opened: (descriptor: Int32, identity: Asset.Identity)?
  ) {
    guard let opened else {
      return answerError(
        ErrorAnswer(Refusal(404, "not_found", "There is no such file any more.", closes: false)))
    }
    var (asset, range) = (known, range)
    if opened.identity != known.identity {
      // It changed since it was looked at. The answer is about what has been opened; a range was about the other.
      asset = Asset(
        path: known.path, identity: opened.identity, content: nil, encoding: known.encoding,
        original: known.encoding == nil ? nil : String(known.path.dropLast(3)),
        varies: known.encoding != nil)
      range = nil
    }
    beginOwnAnswer(range == nil ? 200 : 206, capacity: 512)
    origin?.traffic.count(sent: writeHead(asset, range))
    file = FileTransfer(descriptor: opened.descriptor, range: range ?? 0..<asset.size)
    phase = .sendingFile
    sendFile()
  }

  /// Hands the kernel as many pieces as the client keeps up with.
  func sendFile() {
    while let rest = file?.rest, context.channel.isWritable {
      guard !rest.isEmpty else { break }
      guard let piece = file?.next(max: core.bounds.filePieceBytes) else {
        core.logger.info(
          "a file became shorter while it was sent", metadata: ["app": "\(origin?.appID ?? "")"])
        return closeNow()
      }
      origin?.traffic.count(sent: piece.readableBytes)
      writeOut()
      write(.fileRegion(piece))
    }
    guard let transfer = file, transfer.rest.isEmpty else { return context.flush() }
    // An empty write behind the last piece: the file may be closed once that has gone, or failed.
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.whenComplete { _ in transfer.close() }
    writeOut()
    write(.byteBuffer(ByteBuffer()), promise: promise)
    context.flush()
    file = nil
    finishAnswer()
  }
}
