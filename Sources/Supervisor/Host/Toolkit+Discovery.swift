// SPDX-License-Identifier: Apache-2.0
import Glibc

extension Toolkit {
  /// Looks for the host's helpers: programs beside this one; the SDKs in `../share/bulkhead/sdk`, or in a source
  /// tree above. `BULKHEAD_SDK` and `BULKHEAD_LIBEXEC` say otherwise.
  static func discover(environment: [String: String]) throws(SupervisorError) -> Toolkit {
    let executable = ownPath()
    let directory = executable.lastIndex(of: "/").map { String(executable[..<$0]) } ?? "."
    let programs = environment["BULKHEAD_LIBEXEC"] ?? directory
    let toolkit = Toolkit(
      launcher: "\(programs)/SandboxLaunch", sqlWorker: "\(programs)/SQLWorker",
      sdk: environment["BULKHEAD_SDK"] ?? findSDK(from: directory))
    for program in [toolkit.launcher, toolkit.sqlWorker] where access(program, X_OK) != 0 {
      throw SupervisorError(
        "\(program) is missing; build it (swift build -c release) or set BULKHEAD_LIBEXEC")
    }
    return toolkit
  }

  private static func ownPath() -> String {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = buffer.withUnsafeMutableBytes { bytes in
      bytes.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { readlink("/proc/self/exe", $0, text.count) } ?? -1
      }
    }
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
  }

  private static func findSDK(from directory: String) -> String? {
    var candidates = ["\(directory)/../share/bulkhead/sdk"]
    var above = directory[...]
    for _ in 0..<5 {
      candidates.append("\(above)/sdk")
      guard let slash = above.lastIndex(of: "/") else { break }
      above = above[..<slash]
    }
    return candidates.first { access("\($0)/python/bulkhead/__init__.py", R_OK) == 0 }
  }
}
