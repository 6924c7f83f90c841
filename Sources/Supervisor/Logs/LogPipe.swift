// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOPosix

/// Reads one of a guest's output pipes and cuts it into lines. Runs on a loop of its own, away from requests.
final class LogPipe: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let log: AppLog
  private let source: LogEntry.Source
  private var line: [UInt8] = []

  init(log: AppLog, source: LogEntry.Source) {
    self.log = log
    self.source = source
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    for byte in buffer.readableBytesView {
      if byte == UInt8(ascii: "\n") {
        emit()
      } else {
        line.append(byte)
        if line.count >= LogBounds.lineBytesMax { emit() }
      }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if !line.isEmpty { emit() }
    context.fireChannelInactive()
  }

  private func emit() {
    log.append(source, String(decoding: line, as: UTF8.self))
    line.removeAll(keepingCapacity: true)
  }

  /// Takes over the reading end of a pipe.
  static func read(
    _ descriptor: CInt, into log: AppLog, as source: LogEntry.Source, on group: any EventLoopGroup
  ) {
    _ = NIOPipeBootstrap(group: group)
      .channelOption(
        .recvAllocator,
        value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 4_096, maximum: 65_536)
      )
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(LogPipe(log: log, source: source))
        }
      }
      .takingOwnershipOfDescriptor(input: descriptor)
  }
}
