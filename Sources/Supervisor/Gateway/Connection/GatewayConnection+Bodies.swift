// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// The request's body on its way to the app.
extension GatewayConnection {
  /// Takes what has arrived of the body, and counts it.
  func readBody(max: Int) throws(Refusal) -> ByteBuffer? {
    let before = decoder.wireBytes
    defer {
      let count = decoder.wireBytes - before
      if count > 0 { origin?.traffic.count(received: count) }
    }
    return try decoder.read(from: &inbox, max: max)
  }

  /// Whether more of the body may be read now.
  var takesBody: Bool {
    bodyIsUnwanted ? droppedBytes <= core.bounds.drainedBodyMax : bodyCredit > 0
  }

  /// Passes on one piece. True if there may be another.
  func forwardBody() -> Bool {
    guard !decoder.isDone, takesBody, inbox.readableBytes > 0 else { return false }
    if bodyIsUnwanted { return dropBody() }
    guard let exchange = receiver?.exchange else { return false }
    do throws(Refusal) {
      let piece = try readBody(max: min(bodyCredit, FrameLimits.pieceBytes))
      guard piece != nil || decoder.isDone else { return false }
      bodyCredit -= piece?.readableBytes ?? 0
      exchange.send(body: piece ?? ByteBuffer(), isComplete: decoder.isDone)
      return true
    } catch {
      exchange.abortBody()
      if answerFraming == nil { refuse(error) } else { closeNow() }
      return false
    }
  }

  private func dropBody() -> Bool {
    do throws(Refusal) {
      let before = inbox.readableBytes
      _ = try readBody(max: FrameLimits.pieceBytes)
      droppedBytes += before - inbox.readableBytes
      return inbox.readableBytes < before
    } catch {
      if answerFraming == nil { refuse(error) } else { closeNow() }
      return false
    }
  }

  /// Reads on after the answer, so that the next request can be found. True if it can.
  func drain() -> Bool {
    while !decoder.isDone, dropBody() {}
    guard phase == .draining else { return false }
    if decoder.isDone, keepsAlive {
      nextRequest()
      return true
    }
    if decoder.isDone { closeGracefully(lingers: false) }
    if droppedBytes > core.bounds.drainedBodyMax { closeGracefully(lingers: true) }
    return false
  }

  // MARK: what the app says of it

  func requestBodyGranted(_ bytes: Int) {
    guard phase == .exchange, bytes > 0 else { return }
    if bodyCredit <= 0 { readRate = RateWindow() }
    bodyCredit += bytes
    process()
  }

  func requestBodyUnwanted() {
    guard phase == .exchange else { return }
    bodyIsUnwanted = true
    process()
  }
}
