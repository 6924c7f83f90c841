// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Foundation
import Logging
import NIOPosix
import Supervisor
import Testing

/// An admin server over a fake host on a socket of its own, for the length of a test.
struct ServedFakeHost {
  let host: FakeHost
  let socket: String
  let client: AdminClient

  static func run(_ body: (ServedFakeHost) async throws -> Void) async throws {
    let directory = try TemporaryPlace()
    defer { directory.remove() }
    let host = FakeHost()
    let socket = directory.path("admin.sock")
    try await withThrowingTaskGroup(of: Void.self) { group in
      let (ready, signal) = AsyncStream<Void>.makeStream()
      group.addTask {
        defer { signal.finish() }
        do {
          try await server(socket, host).run {
            signal.yield()
            signal.finish()
          }
        } catch is CancellationError {}
      }
      for await _ in ready { break }
      do {
        try await body(
          ServedFakeHost(host: host, socket: socket, client: AdminClient(socket: socket)))
      } catch {
        group.cancelAll()
        throw error
      }
      group.cancelAll()
    }
    #expect(!FileManager.default.fileExists(atPath: socket), "the socket is gone with its server")
  }

  static func server(_ socket: String, _ host: FakeHost) -> AdminServer {
    AdminServer(
      path: socket, operations: host, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// The client blocks, so it gets a thread outside the pool that the server's handlers run on.
  func ask<Value: Sendable>(
    _ body: @escaping @Sendable (AdminClient) throws(AdminClientError) -> Value
  ) async -> Result<Value, AdminClientError> {
    let client = self.client
    return await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        do throws(AdminClientError) {
          continuation.resume(returning: .success(try body(client)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
  }

  func problem<Value: Sendable>(
    _ body: @escaping @Sendable (AdminClient) throws(AdminClientError) -> Value
  ) async -> Problem? {
    guard case .failure(.problem(let problem)) = await ask(body) else { return nil }
    return problem
  }
}

/// A directory short enough for a Unix socket's path.
struct TemporaryPlace {
  private let root: String

  init() throws {
    root = "/tmp/bh-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(
      atPath: root, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
  }

  func path(_ name: String) -> String { "\(root)/\(name)" }
  func remove() { try? FileManager.default.removeItem(atPath: root) }
}
