// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One cgroup directory: its small files read and written.
package struct CgroupDirectory: Sendable, Equatable {
  var path: String

  init(_ path: String) { self.path = path }

  func child(_ name: String) -> CgroupDirectory { CgroupDirectory(path + "/" + name) }
  var exists: Bool { KernelFile.exists(path) }

  func make() throws(SandboxError) {
    if mkdir(path, 0o755) < 0 && errno != EEXIST { throw SandboxError(.cgroup, errno: errno, path) }
  }

  func set(_ file: String, _ value: String) throws(SandboxError) {
    let error = KernelFile.write(value, to: path + "/" + file)
    if error != 0 { throw SandboxError(.cgroup, errno: error, "\(path)/\(file) = \(value)") }
  }

  /// For files a kernel may lack; true when it was set.
  @discardableResult
  func setIfPresent(_ file: String, _ value: String) -> Bool {
    KernelFile.write(value, to: path + "/" + file) == 0
  }

  func number(_ file: String) -> UInt64? {
    KernelFile.read(path + "/" + file).flatMap(Self.firstNumber)
  }

  func text(_ file: String) -> String? { KernelFile.read(path + "/" + file) }

  /// `key value` lines, as in `cpu.stat` and `memory.events`.
  func fields(_ file: String) -> [String: UInt64] {
    Self.fields(of: text(file) ?? "")
  }

  package static func fields(of text: String) -> [String: UInt64] {
    var fields: [String: UInt64] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: " ")
      if parts.count == 2, let value = UInt64(parts[1]) { fields[String(parts[0])] = value }
    }
    return fields
  }

  package static func firstNumber(_ text: String) -> UInt64? {
    let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
    return UInt64(String(decoding: digits, as: UTF8.self))
  }

  /// True when it is gone.
  func remove() -> Bool { rmdir(path) == 0 || errno == ENOENT }

  var pids: [pid_t] { (text("cgroup.procs") ?? "").split(separator: "\n").compactMap { pid_t($0) } }
}
