// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The few questions about the file system that the command asks.
enum FilePath {
  /// The path from the root; what is not there yet is taken as it stands.
  static func absolute(_ path: String) -> String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else { return path }
    defer { free(current) }
    return "\(String(cString: current))/\(path)"
  }

  static func isDirectory(_ path: String) -> Bool { kind(path) == S_IFDIR }
  static func isFile(_ path: String) -> Bool { kind(path) == S_IFREG }
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private static func kind(_ path: String) -> mode_t? {
    var facts = stat()
    return stat(path, &facts) == 0 ? facts.st_mode & S_IFMT : nil
  }

  static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Reads a file whole; throws errno's words, or that it is over `bytesMax`.
  static func read(_ path: String, bytesMax: Int) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure(path: path, reason: Errno.last) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      guard count >= 0 else { throw FileFailure(path: path, reason: Errno.last) }
      if count == 0 { return bytes }
      bytes += buffer.prefix(count)
      guard bytes.count <= bytesMax else {
        throw FileFailure(path: path, reason: "over \(bytesMax) bytes")
      }
    }
  }

  /// Creates a file that is not there yet.
  static func create(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw FileFailure(path: path, reason: Errno.last) }
    defer { close(descriptor) }
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + sent, $0.count - sent)
      }
      guard count > 0 else { throw FileFailure(path: path, reason: Errno.last) }
      sent += count
    }
  }

  /// The directory and those above it.
  static func createDirectory(_ path: String) throws {
    if isDirectory(path) { return }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      try createDirectory(String(path[..<slash]))
    }
    guard mkdir(path, 0o755) == 0 else { throw FileFailure(path: path, reason: Errno.last) }
  }
}

struct FileFailure: Error {
  var path: String
  var reason: String
}
