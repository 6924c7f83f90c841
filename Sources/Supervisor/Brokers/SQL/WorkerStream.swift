// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// One streamed answer of an SQL worker on its way through the host. Credit goes through one to one, up to a bound, so
/// that the host holds no more of it than the receiver granted.
///
/// SAFETY: mutable state is confined to `eventLoop`.
package final class WorkerStream: StreamedReply, @unchecked Sendable {
  private let eventLoop: any EventLoop
  /// What the worker may still send.
  private var credit: Int
  private var held = 0
  private var isStopped = false
  private var isOver = false
  private var waiting: [StreamedPiece] = []
  private var deliver: (@Sendable (StreamedPiece) -> Void)?
  /// Sends a signal to the worker.
  private let send: (Signal) -> Void

  package enum Signal: Equatable { case credit(Int), stop }

  /// - Parameter credit: what the worker may send before it is granted more.
  package init(eventLoop: any EventLoop, credit: Int, send: @escaping (Signal) -> Void) {
    self.eventLoop = eventLoop
    self.credit = credit
    self.send = send
  }

  // MARK: From the receiver, on any thread

  package func begin(_ deliver: @escaping @Sendable (StreamedPiece) -> Void) {
    onLoop { [self] in
      self.deliver = deliver
      for piece in waiting { deliver(piece) }
      waiting = []
    }
  }

  package func grant(_ bytes: Int) {
    onLoop { [self] in
      held = min(held + bytes, Int(Int32.max))
      passOn()
    }
  }

  package func stop() {
    onLoop { [self] in
      guard !isStopped, !isOver else { return }
      isStopped = true
      send(.stop)
    }
  }

  private func onLoop(_ body: @escaping @Sendable () -> Void) {
    if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
  }

  private func passOn() {
    let bytes = min(held, FrameLimits().streamCredit - credit)
    guard bytes > 0, !isStopped, !isOver else { return }
    held -= bytes
    credit += bytes
    send(.credit(bytes))
  }

  // MARK: From the worker, on the event loop

  /// False if the worker sent more than it was granted.
  package func receive(_ data: ByteBuffer) -> Bool {
    credit -= data.readableBytes
    guard credit >= 0 else { return false }
    if data.readableBytes > 0, !isStopped { pass(.data(data)) }
    passOn()
    return true
  }

  package func end(failure: String?) {
    guard !isOver else { return }
    isOver = true
    pass(.end(failure: failure))
  }

  private func pass(_ piece: StreamedPiece) {
    if let deliver { deliver(piece) } else { waiting.append(piece) }
  }
}
