// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Foundation
import Glibc
import GuestAPI
import Supervisor
import Testing

@Suite("The admin socket in the file system")
struct AdminSocketTests {
  @Test("only its owner may open it")
  func mode() async throws {
    try await ServedFakeHost.run { served in
      let attributes = try FileManager.default.attributesOfItem(atPath: served.socket)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
  }

  @Test("a second host on the same socket is refused, and the first goes on")
  func second() async throws {
    try await ServedFakeHost.run { served in
      await #expect {
        try await ServedFakeHost.server(served.socket, FakeHost()).run()
      } throws: { error in
        (error as? HostError)?.code == "conflict.host_running"
      }
      let apps = try await served.ask { client throws(AdminClientError) in
        try client.json([AppStatus].self, "GET", AdminPath.apps)
      }.get()
      #expect(apps.count == 1)
    }
  }

  @Test("what a dead host left is replaced")
  func stale() async throws {
    let place = try TemporaryPlace()
    defer { place.remove() }
    let path = place.path("admin.sock")
    try leaveStaleSocket(path)
    try await serveOnce(path)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test("a file that is no socket is left alone")
  func file() async throws {
    let place = try TemporaryPlace()
    defer { place.remove() }
    let path = place.path("admin.sock")
    try Data("precious".utf8).write(to: URL(filePath: path))
    await #expect {
      try await ServedFakeHost.server(path, FakeHost()).run()
    } throws: { error in
      (error as? HostError)?.code == "conflict.not_a_socket"
    }
    #expect(try Data(contentsOf: URL(filePath: path)) == Data("precious".utf8))
  }

  @Test("a path too long for a socket is refused in words")
  func longPath() async throws {
    let place = try TemporaryPlace()
    defer { place.remove() }
    let path = place.path(String(repeating: "x", count: 120))
    await #expect {
      try await ServedFakeHost.server(path, FakeHost()).run()
    } throws: { error in
      (error as? HostError)?.code == "unsupported.socket_path"
    }
  }

  @Test("a client tells no host, a file, and a path that is too long apart")
  func client() throws {
    let place = try TemporaryPlace()
    defer { place.remove() }
    func error(_ path: String) -> AdminClientError? {
      do throws(AdminClientError) {
        _ = try AdminClient(socket: path, timeoutSeconds: 1).send("GET", "/")
        return nil
      } catch {
        return error
      }
    }
    let path = place.path("admin.sock")
    #expect(error(path) == .notRunning(socket: path))
    try leaveStaleSocket(path)
    #expect(error(path) == .notRunning(socket: path))
    let long = place.path(String(repeating: "x", count: 120))
    #expect(error(long) == .pathTooLong(socket: long))
  }

  @Test("a host that takes a request and never answers costs a client its time limit, no more")
  func silent() throws {
    let place = try TemporaryPlace()
    defer { place.remove() }
    let path = place.path("admin.sock")
    let listener = try listen(path)
    defer { close(listener) }
    #expect(throws: AdminClientError.timeout(seconds: 1)) {
      try AdminClient(socket: path, timeoutSeconds: 1).send("GET", "/")
    }
  }

  private func serveOnce(_ path: String) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      let (ready, signal) = AsyncStream<Void>.makeStream()
      group.addTask {
        defer { signal.finish() }
        do {
          try await ServedFakeHost.server(path, FakeHost()).run {
            signal.yield()
            signal.finish()
          }
        } catch is CancellationError {}
      }
      var listened = false
      for await _ in ready {
        listened = true
        break
      }
      group.cancelAll()
      try await group.waitForAll()
      #expect(listened)
    }
  }

  private func leaveStaleSocket(_ path: String) throws { close(try listen(path)) }

  private func listen(_ path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let status = withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0)
    try #require(Glibc.listen(descriptor, 8) == 0)
    return descriptor
  }
}
