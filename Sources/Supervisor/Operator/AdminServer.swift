// SPDX-License-Identifier: Apache-2.0

import GuestAPI
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// Serves `HostOperations` over a Unix socket of mode 0600: who may open the socket may do everything.
package struct AdminServer: Sendable {
  package let path: String
  private let operations: any HostOperations
  private let eventLoopGroup: any EventLoopGroup
  private let logger: Logger

  package init(
    path: String, operations: any HostOperations, eventLoopGroup: any EventLoopGroup,
    logger: Logger
  ) {
    self.path = path
    self.operations = operations
    self.eventLoopGroup = eventLoopGroup
    self.logger = logger
  }

  /// Serves until the task is cancelled, then removes the socket. Requests in flight are cut off: a followed log
  /// has no end of its own.
  ///
  /// Throws `HostError`: `conflict.host_running` if another host answers on the socket, `conflict.not_a_socket`,
  /// `unsupported.socket_path` if the path is over 107 bytes, `internal.socket` for a failed system call.
  /// `onListening` is called once clients can connect.
  package func run(onListening: @escaping @Sendable () async -> Void = {}) async throws {
    let socket = AdminSocket(path: path)
    try socket.claim()
    defer { socket.remove() }
    let failure = Mutex<HostError?>(nil)
    let application = Application(
      router: AdminRoutes(operations: operations).router(logger: logger),
      configuration: ApplicationConfiguration(
        address: .unixDomainSocket(path: socket.stagingPath), serverName: "bulkhead"),
      onServerRunning: { channel in
        do throws(HostError) {
          try socket.publish()
          await onListening()
        } catch {
          failure.withLock { $0 = error }
          channel.close(mode: .all, promise: nil)
        }
      },
      eventLoopGroupProvider: .shared(eventLoopGroup), logger: logger)
    try await application.run()
    if let error = failure.withLock({ $0 }) { throw error }
  }
}

/// Serves `/healthz`, `/readyz` and `/metrics` on a TCP port, for monitoring that cannot open a Unix socket.
package struct ObservationServer: Sendable {
  private let host: String
  private let port: Int
  private let operations: any HostOperations
  private let eventLoopGroup: any EventLoopGroup
  private let logger: Logger

  package init(
    host: String, port: Int, operations: any HostOperations, eventLoopGroup: any EventLoopGroup,
    logger: Logger
  ) {
    self.host = host
    self.port = port
    self.operations = operations
    self.eventLoopGroup = eventLoopGroup
    self.logger = logger
  }

  /// Serves until the task is cancelled.
  package func run() async throws {
    let router = Router(context: BasicRequestContext.self)
    router.add(middleware: ProblemMiddleware(logger: logger))
    ObservationRoutes(operations: operations).add(to: router)
    let application = Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .hostname(host, port: port), serverName: "bulkhead"),
      eventLoopGroupProvider: .shared(eventLoopGroup), logger: logger)
    try await application.run()
  }
}
