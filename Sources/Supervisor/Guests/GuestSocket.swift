// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// The writing half of a framed socket: frames of one turn of the event loop leave in one write.
///
/// Confined to its channel's event loop.
final class GuestSocket {
  let channel: any Channel
  private let hostWork: HostWork?
  private var outgoing: ByteBuffer
  private var writer = JSONWriter(capacity: 1_024)
  private var flushIsScheduled = false
  /// Bytes handed to the channel and not yet taken by the kernel, plus those waiting for the next flush.
  private(set) var pendingBytes = 0
  /// When the kernel last took something while something was pending.
  private(set) var lastProgress: NIODeadline
  /// Called after the kernel took something.
  var onProgress: (() -> Void)?
  private let now: @Sendable () -> NIODeadline
  /// What the channel held when `noticeProgress` last looked.
  private var lastBuffered = 0

  /// Past this a part is not copied behind the others but written by itself.
  private static let copiedBodyMax = 16_384

  /// - Parameter hostWork: where writing is charged.
  init(
    channel: any Channel, hostWork: HostWork? = nil,
    now: @escaping @Sendable () -> NIODeadline = { .now() }
  ) {
    self.channel = channel
    self.hostWork = hostWork
    self.now = now
    outgoing = channel.allocator.buffer(capacity: 4_096)
    lastProgress = now()
  }

  /// A large write that is taken bit by bit completes late; that bits of it went is progress as well.
  func noticeProgress() {
    let buffered = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    if buffered != lastBuffered { lastProgress = now() }
    lastBuffered = buffered
  }

  /// Queues one frame. `json` writes the JSON part.
  func send(body: ByteBuffer? = nil, _ json: (inout JSONWriter) -> Void) {
    writer.removeAll()
    json(&writer)
    let bodyLength = body?.readableBytes ?? 0
    let total = UInt32(4 + writer.bytes.count + bodyLength)
    if pendingBytes == 0 { lastProgress = now() }
    pendingBytes += Int(total) + 4
    outgoing.writeMultipleIntegers(total, UInt32(writer.bytes.count))
    outgoing.writeBytes(writer.bytes)
    if var body, bodyLength > 0 {
      if bodyLength <= Self.copiedBodyMax {
        outgoing.writeBuffer(&body)
      } else {
        writeOutgoing()
        write(body)
      }
    }
    scheduleFlush()
  }

  private func scheduleFlush() {
    guard !flushIsScheduled else { return }
    flushIsScheduled = true
    // After every socket that is readable in this turn was read: many requests, one system call.
    channel.eventLoop.assumeIsolated().execute { self.flush() }
  }

  private func flush() {
    flushIsScheduled = false
    guard let hostWork else { return flushNow() }
    hostWork.measuredOnLoop { flushNow() }
  }

  private func flushNow() {
    writeOutgoing()
    channel.flush()
  }

  private func writeOutgoing() {
    guard outgoing.readableBytes > 0 else { return }
    write(outgoing)
    outgoing = channel.allocator.buffer(capacity: 4_096)
  }

  private func write(_ buffer: ByteBuffer) {
    let count = buffer.readableBytes
    let promise = channel.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { _ in
      self.pendingBytes -= count
      self.lastProgress = self.now()
      self.onProgress?()
    }
    channel.write(buffer, promise: promise)
  }
}
