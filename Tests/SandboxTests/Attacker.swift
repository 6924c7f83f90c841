// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox

/// Runs the hostile guest in a cell.
enum Attacker {
  private static let path = Fixture.launcherPath.dropLast("SandboxLaunch".count) + "Attacker"

  static func policy(_ arguments: String...) -> SandboxPolicy {
    var policy = Fixture.policy(["/app/attacker"] + arguments, app: "attacker")
    policy.binds = [.code(String(path), at: "/app/attacker")]
    policy.environment = ["PATH": "/usr/bin:/bin"]
    return policy
  }

  /// name → what came of it.
  static func report(_ policy: SandboxPolicy) async throws -> [String: String] {
    let output = try await Fixture.run(policy)
    var report: [String: String] = [:]
    for line in output.text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { report[String(parts[0])] = String(parts[1].dropFirst()) }
    }
    return report
  }
}

func readBytes(_ path: String) -> [UInt8]? {
  guard let file = fopen(path, "r") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
    bytes += buffer[..<count]
  }
  return bytes
}

func writeBytes(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) {
  let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
  guard file >= 0 else { return }
  var rest = bytes[...]
  while !rest.isEmpty {
    let written = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    guard written > 0 else { break }
    rest = rest.dropFirst(written)
  }
  fchmod(file, mode)
  close(file)
}

func readText(_ path: String) -> String? {
  readBytes(path).map { String(decoding: $0, as: UTF8.self) }
}
