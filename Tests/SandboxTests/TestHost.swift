// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import Sandbox
import Synchronization

/// A host process of its own, to be killed.
final class TestHost: Sendable {
  let pid: pid_t
  private let output: Int32

  init(_ arguments: String..., wrapper: [String] = []) throws {
    let path = Fixture.launcherPath.dropLast("SandboxLaunch".count) + "SandboxTestHost"
    var pair: [Int32] = [-1, -1]
    guard pipe(&pair) == 0 else { throw SandboxError(.spawn, errno: errno, "pipe") }
    for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, pair[1], 1)
    // Other tests' sockets are open too: one inherited here would look open to its other end for as long as this lives.
    bh_close_from(&actions, 3)
    let words = wrapper + [String(path)] + arguments
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var pid: pid_t = 0
    let error = posix_spawnp(&pid, words[0], &actions, nil, &pointers, environ)
    posix_spawn_file_actions_destroy(&actions)
    close(pair[1])
    guard error == 0 else {
      close(pair[0])
      throw SandboxError(.spawn, errno: error, String(path))
    }
    self.pid = pid
    output = pair[0]
  }

  func signal(_ number: Int32) { kill(pid, number) }
  func wait() { waitpid(pid, nil, 0) }

  func waitForLine(_ line: String) async throws {
    let text = await read { $0.contains(line + "\n") }
    guard text.contains(line) else { throw SandboxError(.lost, "the test host ended: \(text)") }
  }

  func readToEnd() async -> String {
    let text = await read { _ in false }
    wait()
    return text
  }

  private func read(until done: @escaping @Sendable (String) -> Bool) async -> String {
    let descriptor = output
    return await withCheckedContinuation { continuation in
      onThread {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !done(String(decoding: bytes, as: UTF8.self)) {
          let count = Glibc.read(descriptor, &buffer, buffer.count)
          guard count > 0 else { break }
          bytes += buffer[..<count]
        }
        continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
      }
    }
  }

  deinit { close(output) }
}
