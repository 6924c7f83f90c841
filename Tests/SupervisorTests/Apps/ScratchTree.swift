// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Supervisor

/// A directory for one test, with everything in it that a file system can hold.
final class ScratchTree: Sendable {
  let root: String

  struct Failed: Error { var call: String, reason: String }

  init() throws {
    root = "/tmp/bh-tree-\(UUID().uuidString.prefix(8))"
    try Self.check(mkdir(root, 0o700), "mkdir")
  }

  deinit { _ = TreeRemoval.remove(root) }

  func path(_ name: String) -> String { name.isEmpty ? root : "\(root)/\(name)" }

  private static func check(_ result: Int32, _ call: String) throws {
    guard result == 0 else { throw Failed(call: call, reason: String(cString: strerror(errno))) }
  }

  @discardableResult
  func directory(_ name: String, mode: mode_t = 0o755) throws -> String {
    try FileManager.default.createDirectory(
      atPath: path(name), withIntermediateDirectories: true)
    try Self.check(chmod(path(name), mode), "chmod")
    return path(name)
  }

  func file(_ name: String, _ text: String = "x", mode: mode_t = 0o644) throws {
    if let slash = name.lastIndex(of: "/") { try directory(String(name[..<slash])) }
    try Data(text.utf8).write(to: URL(filePath: path(name)))
    try Self.check(chmod(path(name), mode), "chmod")
  }

  /// A file whose name is any bytes.
  func file(named bytes: [UInt8], in directory: String) throws {
    let descriptor = raw(bytes, in: directory) { open($0, O_WRONLY | O_CREAT, 0o644) }
    try Self.check(descriptor >= 0 ? 0 : -1, "open")
    close(descriptor)
  }

  func directory(named bytes: [UInt8], in directory: String) throws {
    try Self.check(raw(bytes, in: directory) { mkdir($0, 0o755) }, "mkdir")
  }

  private func raw(
    _ bytes: [UInt8], in directory: String, _ call: (UnsafePointer<CChar>) -> Int32
  ) -> Int32 {
    let full = Array(path(directory).utf8) + [0x2f] + bytes + [0]
    return full.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { name in
      name.baseAddress.map(call) ?? -1
    }
  }

  func link(_ name: String, to target: String) throws {
    if let slash = name.lastIndex(of: "/") { try directory(String(name[..<slash])) }
    try Self.check(symlink(target, path(name)), "symlink")
  }

  func fifo(_ name: String) throws { try Self.check(mkfifo(path(name), 0o644), "mkfifo") }

  func device(_ name: String) throws {
    try Self.check(mknod(path(name), S_IFCHR | 0o644, 0x103), "mknod")
  }

  func socket(_ name: String) throws {
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path(name).utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try Self.check(result, "bind")
  }

  /// A file that is long and takes no room.
  func sparse(_ name: String, bytes: Int) throws {
    try file(name, "")
    try Self.check(truncate(path(name), bytes), "truncate")
  }

  /// Directories within one another, as a process makes them that changes into each: far past PATH_MAX.
  func nest(_ name: String, depth: Int) throws {
    var at = open(try directory(name), O_RDONLY | O_DIRECTORY)
    for _ in 0..<depth {
      try Self.check(mkdirat(at, "d", 0o755), "mkdirat")
      let next = openat(at, "d", O_RDONLY | O_DIRECTORY)
      close(at)
      at = next
    }
    close(at)
  }

  func text(_ name: String) -> String? { try? String(contentsOfFile: path(name), encoding: .utf8) }
  func exists(_ name: String) -> Bool {
    var facts = stat()
    return lstat(path(name), &facts) == 0
  }

  /// Every path below, sorted, links with their targets.
  func listing(_ name: String = "") -> [String] {
    let files = FileManager.default.enumerator(atPath: path(name))
    return (files?.compactMap { $0 as? String } ?? []).sorted().map { entry in
      let target = try? FileManager.default.destinationOfSymbolicLink(
        atPath: "\(path(name))/\(entry)")
      return target.map { "\(entry) -> \($0)" } ?? entry
    }
  }
}
