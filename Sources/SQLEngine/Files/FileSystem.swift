// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The few file calls the worker needs, without Foundation.
package enum FileSystem {
  package struct Status: Sendable, Equatable {
    package var isRegular: Bool
    package var links: Int
    package var size: Int64
  }

  /// Nil if there is nothing by that name. Does not follow a link.
  package static func status(_ path: String) -> Status? {
    var info = stat()
    guard lstat(path, &info) == 0 else { return nil }
    return Status(
      isRegular: info.st_mode & S_IFMT == S_IFREG, links: Int(info.st_nlink),
      size: Int64(info.st_size))
  }

  /// The first `count` bytes, fewer if the file is shorter; nil if it cannot be read.
  package static func read(_ path: String, prefix count: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress! + filled, count - filled)
      }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { break }
      filled += got
    }
    bytes.removeLast(count - filled)
    return bytes
  }

  /// Names in a directory, sorted by their bytes; nil if it cannot be read.
  package static func names(in directory: String) -> [String]? {
    guard let stream = opendir(directory) else { return nil }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// True if the file is gone afterwards.
  @discardableResult
  package static func remove(_ path: String) -> Bool { unlink(path) == 0 || errno == ENOENT }

  /// Makes a directory's entries durable: a created or removed file is so only after this.
  package static func sync(directory: String) {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
