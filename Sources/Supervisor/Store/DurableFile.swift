// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Small files that must survive a power cut whole.
package enum DurableFile {
  /// A failed system call on a file, for the host's log.
  package struct Failure: Error, CustomStringConvertible {
    package var call: String
    package var path: String
    package var errno: Int32
    package var description: String { "\(call) \(path): \(String(cString: strerror(errno)))" }
  }

  /// Replaces the file: written beside it, synced, renamed, and the directory synced (rename(2), fsync(2)).
  package static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o600)
    throws(Failure)
  {
    let temporary = path + ".new"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
    guard file >= 0 else { throw Failure(call: "open", path: temporary, errno: errno) }
    do throws(Failure) {
      try write(bytes, to: file, path: temporary)
      guard fsync(file) == 0 else { throw Failure(call: "fsync", path: temporary, errno: errno) }
    } catch {
      close(file)
      unlink(temporary)
      throw error
    }
    close(file)
    guard rename(temporary, path) == 0 else {
      let reason = errno
      unlink(temporary)
      throw Failure(call: "rename", path: path, errno: reason)
    }
    try syncDirectory(of: path)
  }

  static func write(_ bytes: [UInt8], to file: Int32, path: String) throws(Failure) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Failure(call: "write", path: path, errno: errno) }
      written += count
    }
  }

  /// Makes a rename or a creation in the file's directory durable.
  static func syncDirectory(of path: String) throws(Failure) {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(call: "open", path: directory, errno: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else {
      throw Failure(call: "fsync", path: directory, errno: errno)
    }
  }

  /// A whole file of at most `max` bytes.
  package static func read(_ path: String, max: Int) throws(Failure) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { throw Failure(call: "open", path: path, errno: errno) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(file, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Failure(call: "read", path: path, errno: errno) }
      if count == 0 { return bytes }
      bytes += piece[..<count]
      guard bytes.count <= max else { throw Failure(call: "read", path: path, errno: EFBIG) }
    }
  }

  /// `mkdir -p` with the mode for what it makes.
  package static func makeDirectory(_ path: String, mode: mode_t = 0o700) throws(Failure) {
    if mkdir(path, mode) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
      throw Failure(call: "mkdir", path: path, errno: errno)
    }
    try makeDirectory(String(path[..<slash]), mode: mode)
    guard mkdir(path, mode) == 0 || errno == EEXIST else {
      throw Failure(call: "mkdir", path: path, errno: errno)
    }
  }
}
