// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A name as it lies in a directory: bytes, which need not be UTF-8.
package struct FileName: Sendable, Hashable {
  package let bytes: [UInt8]

  package init(_ text: String) { bytes = Array(text.utf8) }
  fileprivate init(entry: UnsafeMutablePointer<dirent>) {
    // By address: the record is shorter than the struct, so the field must not be read as a whole.
    let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
    let start = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
    bytes = Array(UnsafeRawBufferPointer(start: start, count: strlen(start)))
  }

  /// Nil for a name that is not UTF-8.
  package var text: String? { String(validating: bytes, as: UTF8.self) }
  /// For people.
  package var shown: String { String(decoding: bytes, as: UTF8.self) }

  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
    return terminated.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { preconditionFailure("a terminator is there") }
      return body(start)
    }
  }
}

/// The entries of a directory, without `.` and `..`.
enum DirectoryListing {
  static func names(of directory: Int32, max: Int = .max) throws(DurableFile.Failure) -> [FileName]
  {
    // A descriptor of its own: closedir closes what fdopendir was given.
    let own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard own >= 0 else { throw DurableFile.Failure(call: "openat", path: ".", errno: errno) }
    guard let stream = fdopendir(own) else {
      let reason = errno
      close(own)
      throw DurableFile.Failure(call: "fdopendir", path: ".", errno: reason)
    }
    defer { closedir(stream) }
    var names: [FileName] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else {
          throw DurableFile.Failure(call: "readdir", path: ".", errno: errno)
        }
        return names
      }
      let name = FileName(entry: entry)
      if name.bytes == [0x2e] || name.bytes == [0x2e, 0x2e] { continue }
      guard names.count < max else {
        throw DurableFile.Failure(call: "readdir", path: ".", errno: E2BIG)
      }
      names.append(name)
    }
  }

  static func names(of path: String) throws(DurableFile.Failure) -> [FileName] {
    let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else {
      throw DurableFile.Failure(call: "open", path: path, errno: errno)
    }
    defer { close(directory) }
    return try names(of: directory)
  }
}
