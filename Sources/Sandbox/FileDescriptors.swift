// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc

/// Owns one descriptor and closes it exactly once. Not copyable: two owners would close twice.
struct OwnedDescriptor: ~Copyable {
  let raw: Int32
  init(taking raw: Int32) { self.raw = raw }
  consuming func release() -> Int32 {
    let raw = self.raw
    discard self
    return raw
  }
  deinit { close(raw) }
}

/// Small files of the kernel: read whole, written whole, never through a link at the end.
enum KernelFile {
  /// LIMIT: 64 KiB, far above any file read here.
  static func read(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { close(file) }
    // Most hold a line or two, and are read often.
    let (first, isAll) = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = max(0, Glibc.read(file, buffer.baseAddress, buffer.count))
      return (String(decoding: buffer[..<count], as: UTF8.self), count < buffer.count / 2)
    }
    // A seq_file gives less than asked for when its next line does not fit: half full is not all.
    if isAll { return first }
    return readAll(file)
  }

  /// For what may be longer: memory maps. LIMIT: 16 MiB, the lines of some 100,000 mappings.
  static func readWhole(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { close(file) }
    return readAll(file, bytesMax: 16 << 20)
  }

  private static func readAll(_ file: Int32, bytesMax: Int = 64 << 10) -> String? {
    guard lseek(file, 0, SEEK_SET) == 0 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    var length = 0
    while length < bytesMax {
      if length == buffer.count { buffer += [UInt8](repeating: 0, count: buffer.count) }
      let count = buffer.withUnsafeMutableBytes {
        Glibc.read(file, $0.baseAddress?.advanced(by: length), $0.count - length)
      }
      guard count > 0 else { break }
      length += count
    }
    return String(decoding: buffer[..<length], as: UTF8.self)
  }

  /// 0, or the errno.
  @discardableResult
  static func write(_ text: String, to path: String) -> Int32 {
    let file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return errno }
    defer { close(file) }
    var text = text
    return text.withUTF8 { Glibc.write(file, $0.baseAddress, $0.count) } < 0 ? errno : 0
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Names in a directory, without `.` and `..`; empty when it cannot be read.
  static func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  static func directories(in path: String) -> [String] {
    names(in: path).filter { isDirectory(path + "/" + $0) }
  }

  static func identity(_ path: String) -> FileIdentity {
    var status = stat()
    guard lstat(path, &status) == 0 else { return FileIdentity() }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// `S_IFDIR` and so on, of the thing itself and not of what a link means; nil when there is none.
  static func kind(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  static func isDirectory(_ path: String) -> Bool { kind(path) == S_IFDIR }
}

/// `realpath`: links resolved, or the errno.
func resolve(_ path: String) -> Result<String, ErrnoValue> {
  guard let resolved = realpath(path, nil) else { return .failure(ErrnoValue(number: errno)) }
  defer { free(resolved) }
  return .success(String(cString: resolved))
}

struct ErrnoValue: Error, Equatable { var number: Int32 }
