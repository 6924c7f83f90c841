// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

@Suite("a hostile guest")
struct AttackerTests {
  /// One file for root and plain user: the same acts, the same answers.
  static let golden: [String: String] = {
    var golden: [String: String] = [:]
    for line in (readText(testDirectory + "/Golden/attacks.txt") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      golden[String(parts[0])] = String(parts[1].dropFirst())
    }
    return golden
  }()

  @Test("every forbidden act is refused, each in the way written down")
  func everythingIsRefused() async throws {
    writeBytes(Array("canary".utf8), to: "/tmp/bulkhead-canary")
    let listener = listenAbstract("bulkhead-attack-test")
    defer { close(listener) }
    let report = try await Attacker.report(Attacker.policy())
    #expect(report.count >= 180)
    #expect(report.keys.sorted() == Self.golden.keys.sorted())
    for (name, answer) in report { #expect(answer == Self.golden[name], "\(name)") }
    #expect(!report.values.contains("GOT IT"))
  }

  @Test("the same in Python, with what Python offers")
  func python() async throws {
    let directory = try scratchDirectory("hostile")
    defer { try? GuestTree(directory).remove() }
    writeBytes(readBytes(testDirectory + "/hostile.py") ?? [], to: directory + "/hostile.py")
    var policy = Fixture.policy("/usr/bin/python3", "-I", "/app/hostile.py", app: "attacker")
    policy.binds = [.code(directory)]
    let output = try await Fixture.run(policy)
    #expect(output.isSuccess, "\(output.errors)")
    let lines = output.text.split(separator: "\n")
    #expect(lines.count >= 40)
    for line in lines { #expect(line.hasSuffix("refused"), "\(line)") }
  }

  /// A socket in the abstract namespace of the host, to be found by a guest that gets out.
  private func listenAbstract(_ name: String) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      path[0] = 0
      for (index, byte) in name.utf8.enumerated() { path[index + 1] = byte }
    }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = bind(descriptor, $0, length) }
    }
    listen(descriptor, 1)
    return descriptor
  }
}

let testDirectory: String = String(#filePath.dropLast("/AttackerTests.swift".count))
