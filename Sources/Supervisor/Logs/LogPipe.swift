// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

/// Reads one of a guest's output pipes and cuts it into lines. Runs on a loop of its own, away from requests.
package final class LogPipe: ChannelInboundHandler {
  package typealias InboundIn = ByteBuffer

  private let log: AppLog
  private let source: LogEntry.Source
  private let work: HostWork?
  private var line: [UInt8] = []
  private var wasDropped = false

  init(log: AppLog, source: LogEntry.Source, work: HostWork?) {
    self.log = log
    self.source = source
    self.work = work
  }

  package func channelActive(context: ChannelHandlerContext) {
    context.read()
    context.fireChannelActive()
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard let work else { return read(buffer) }
    work.measured { read(buffer) }
  }

  private func read(_ buffer: ByteBuffer) {
    buffer.withUnsafeReadableBytes { bytes in
      var rest = bytes[...]
      while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
        take(rest[..<newline])
        emit(line.count)
        rest = rest[(newline + 1)...]
        if wasDropped { skipLines(of: &rest) }
      }
      take(rest)
    }
  }

  /// What follows a dropped line in the same read would be dropped as well: it is only counted.
  private func skipLines(of rest: inout Slice<UnsafeRawBufferPointer>) {
    var (lines, end) = (0, rest.startIndex)
    for index in rest.indices where rest[index] == UInt8(ascii: "\n") {
      lines += 1
      end = index + 1
    }
    if lines > 0 { log.drop(lines: lines, bytes: end - rest.startIndex) }
    rest = rest[end...]
  }

  /// A flood is left in the guest's own pipe for a moment: listening to all of it only to drop it costs the host a core.
  package func channelReadComplete(context: ChannelHandlerContext) {
    if wasDropped {
      wasDropped = false
      let channel = context.channel
      context.eventLoop.scheduleTask(in: .milliseconds(LogBounds.pauseMilliseconds)) {
        channel.read()
      }
    } else {
      context.read()
    }
    context.fireChannelReadComplete()
  }

  package func channelInactive(context: ChannelHandlerContext) {
    if !line.isEmpty { emit(line.count) }
    log.tellDropped()
    context.fireChannelInactive()
  }

  private func take(_ bytes: Slice<UnsafeRawBufferPointer>) {
    var bytes = bytes
    while line.count + bytes.count > LogBounds.lineBytesMax {
      let part = bytes.prefix(LogBounds.lineBytesMax - line.count)
      line += part
      bytes = bytes[part.endIndex...]
      emit(LineCut.wholePrefix(of: line[...]))
    }
    line += bytes
  }

  /// One entry of the first `count` bytes.
  private func emit(_ count: Int) {
    if !log.append(source, String(decoding: line[..<count], as: UTF8.self)) { wasDropped = true }
    line.removeFirst(count)
  }

  /// Takes over the reading end of a pipe. What reading costs is charged to `work`.
  package static func read(
    _ descriptor: CInt, into log: AppLog, as source: LogEntry.Source, on group: any EventLoopGroup,
    work: HostWork? = nil
  ) {
    _ = NIOPipeBootstrap(group: group)
      .channelOption(.autoRead, value: false)
      .channelOption(
        .recvAllocator,
        value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 4_096, maximum: 65_536)
      )
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            LogPipe(log: log, source: source, work: work))
        }
      }
      .takingOwnershipOfDescriptor(input: descriptor)
  }
}
