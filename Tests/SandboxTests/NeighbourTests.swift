// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

/// One app uses up all it may, another is served meanwhile, and the host is as it was afterwards.
@Suite("a neighbour")
struct NeighbourTests {
  @Test(
    "is served while another exhausts its share, and nothing stays",
    arguments: [
      "forks", "memory", "processor", "threads", "descriptors", "scratch", "inodes", "log", "calls",
    ])
  func served(_ what: String) async throws {
    var hostile = Attacker.policy("exhaust", what)
    hostile.appID = "hostile-\(what)"
    hostile.limits.memoryBytes = 64 << 20
    hostile.limits.processes = 24
    hostile.limits.cpuCores = 0.5
    let sink = try TextPipe()
    let process = try await Fixture.launcher().launch(
      hostile, LaunchDescriptors(stdout: sink.writeEnd, stderr: sink.writeEnd))
    sink.closeWriteEnd()
    async let drained = sink.readAll()
    let answers = try await ask(times: 50)
    #expect(answers == 50)
    process.kill()
    await process.waitUntilGone()
    _ = await drained
    #expect(cgroupLeaves(named: "tests-\(getpid())").allSatisfy { !$0.contains("hostile-\(what)") })
  }

  @Test("leaves the host's descriptors and memory as they were")
  func hostIsAsBefore() async throws {
    let host = try TestHost("cycle", "cycle-\(getpid())", "40")
    let words = await host.readToEnd().split(whereSeparator: \.isWhitespace)
    // descriptors BEFORE AFTER memory BEFORE AFTER, memory in KiB
    try #require(words.count == 6)
    let figures = words.compactMap { Int($0) }
    #expect(figures[1] <= figures[0], "\(words)")
    #expect(figures[3] <= figures[2] + 1024, "\(words)")
  }

  /// Asks a guest over its socket, one line after another; how many answers were right.
  private func ask(times: Int) async throws -> Int {
    var pair: [Int32] = [-1, -1]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(pair[0]) }
    let policy = Fixture.policy(
      "/bin/sh", "-c", "while read -r line <&3; do echo \"<$line>\" >&3; done", app: "served")
    let process = try await Fixture.launcher().launch(
      policy, LaunchDescriptors(extra: [.init(host: pair[1], inside: 3)]))
    close(pair[1])
    let descriptor = pair[0]
    let right = await withCheckedContinuation { continuation in
      onThread {
        var right = 0
        for number in 0..<times {
          let question = Array("question \(number)\n".utf8)
          let wanted = "<question \(number)>\n"
          guard write(descriptor, question, question.count) == question.count else { break }
          var answer: [UInt8] = []
          var byte: UInt8 = 0
          while answer.last != 0x0A, read(descriptor, &byte, 1) == 1 { answer.append(byte) }
          if String(decoding: answer, as: UTF8.self) == wanted { right += 1 }
        }
        continuation.resume(returning: right)
      }
    }
    process.kill()
    await process.waitUntilGone()
    return right
  }
}
