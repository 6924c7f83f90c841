// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// HTTP in: takes connections, finds the app a request is for, serves its files and passes the rest to it.
package final class Gateway: Sendable {
  private let core: GatewayCore
  private let group: any EventLoopGroup
  private let loops: [ObjectIdentifier: GatewayLoop]
  private let server = Mutex<(any Channel)?>(nil)

  /// - Parameters:
  ///   - origins: which apps there are.
  ///   - group: must be of NIOPosix.
  ///   - pool: where files are looked at.
  package init(
    origins: any OriginTable, group: any EventLoopGroup, options: GatewayOptions, logger: Logger,
    pool: NIOThreadPool = .singleton
  ) {
    core = GatewayCore(origins: origins, options: options, pool: pool, logger: logger)
    self.group = group
    loops = Dictionary(
      uniqueKeysWithValues: group.makeIterator().map {
        (ObjectIdentifier($0), GatewayLoop(eventLoop: $0, options: options))
      })
  }

  /// Begins to listen.
  ///
  /// - Parameter port: 0 for any that is free; `localAddress` tells which.
  /// - Throws: `GatewayError` that says why not and what to do.
  package func start(host: String, port: Int) async throws {
    guard let bootstrap = ServerBootstrap(validatingGroup: group) else {
      throw GatewayError("the gateway needs an event loop group of NIOPosix")
    }
    let (core, loops) = (core, loops)
    do {
      let channel =
        try await bootstrap
        .serverChannelOption(ChannelOptions.backlog, value: 1024)
        .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
        .serverChannelOption(ChannelOptions.maxMessagesPerRead, value: 16)
        .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
        .childChannelOption(Self.notSentLowWater, value: .init(core.bounds.kernelUnsentBytesMax))
        .childChannelOption(
          ChannelOptions.writeBufferWaterMark,
          value: .init(low: core.bounds.unsentBytesMax / 4, high: core.bounds.unsentBytesMax)
        )
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
              throw GatewayError("a connection arrived on a foreign event loop")
            }
            try channel.pipeline.syncOperations.addHandler(
              GatewayConnection(core: core, loop: loop))
          }
        }
        .bind(host: host, port: port).get()
      server.withLock { $0 = channel }
    } catch {
      throw GatewayError(listening: host, port, error)
    }
  }

  /// TCP_NOTSENT_LOWAT. Without it the kernel takes megabytes for a client that reads slowly, and hands them over in
  /// the client's time slices: measured on loopback, 1 MiB files went out 1.4 times as fast with it.
  private static let notSentLowWater = ChannelOptions.Types.SocketOption(
    level: .tcp, name: .init(rawValue: 25))

  /// Where it listens; nil before `start` and after `shutdown`.
  package var localAddress: SocketAddress? { server.withLock { $0?.localAddress } }

  /// Connections open now.
  package var connectionCount: Int { core.connectionCount }

  /// Stops listening, closes connections that wait for a request, lets the others finish the one they have for up to
  /// `grace`, then closes what is left.
  package func shutdown(grace: TimeAmount) async {
    let channel = server.withLock { channel in
      defer { channel = nil }
      return channel
    }
    try? await channel?.close().get()
    let loops = Array(loops.values)
    // Cut short by closing all of them, so the wait below always ends.
    let cuts = loops.map { loop in
      loop.eventLoop.scheduleTask(in: grace) { loop.closeAll() }
    }
    let ends = loops.map { loop in loop.eventLoop.flatSubmit { loop.shutDown() } }
    for end in ends { try? await end.get() }
    for cut in cuts { cut.cancel() }
  }
}

/// Why the gateway cannot listen.
package struct GatewayError: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }

  init(listening host: String, _ port: Int, _ error: any Error) {
    if let error = error as? GatewayError {
      self = error
      return
    }
    let reason: String
    switch (error as? IOError)?.errnoCode {
    case EADDRINUSE:
      reason =
        "the port is in use. Stop what listens there (`ss -ltnp 'sport = :\(port)'` tells what), "
        + "or choose another with --listen"
    case EACCES:
      reason = "ports below 1024 need a privilege. Choose a higher one with --listen"
    case EADDRNOTAVAIL: reason = "this machine has no such address. Choose another with --listen"
    default: reason = "\(error)"
    }
    description = "cannot listen on \(host):\(port): \(reason)"
  }
}
