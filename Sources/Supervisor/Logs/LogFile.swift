// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The rotated files of one log: `app.log`, `app.log.1` … Not `Sendable`: used on the log queue only.
final class LogFile {
  private let directory: String
  private var descriptor: Int32 = -1
  private var size = 0
  private(set) var failure: String?

  init(directory: String) { self.directory = directory }
  deinit { if descriptor >= 0 { close(descriptor) } }

  private func path(_ index: Int) -> String {
    index == 0 ? "\(directory)/app.log" : "\(directory)/app.log.\(index)"
  }

  /// Appends whole lines. A full disk is remembered in `failure` and tried again with the next line.
  func append(_ bytes: [UInt8]) {
    guard openIfNeeded(), makeRoom(for: bytes.count) else { return }
    let before = size
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        failure = String(cString: strerror(errno))
        // Half a line would spoil the next one as well.
        if ftruncate(descriptor, before) == 0 { size = before }
        return
      }
      written += count
      size += count
    }
    failure = nil
  }

  private func openIfNeeded() -> Bool {
    if descriptor >= 0 { return true }
    mkdir(directory, 0o700)
    descriptor = open(path(0), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      failure = String(cString: strerror(errno))
      return false
    }
    size = Int(lseek(descriptor, 0, SEEK_END))
    endCutLine()
    return true
  }

  /// A crash may have left half a line: it must not swallow the next.
  private func endCutLine() {
    var last: UInt8 = 0
    guard size > 0, pread(descriptor, &last, 1, size - 1) == 1, last != UInt8(ascii: "\n") else {
      return
    }
    var newline = UInt8(ascii: "\n")
    if write(descriptor, &newline, 1) == 1 { size += 1 }
  }

  private func makeRoom(for count: Int) -> Bool {
    guard size > 0, size + count > LogBounds.fileBytesMax else { return true }
    rotate()
    guard openIfNeeded() else { return false }
    // The files could not be renamed: the bound holds all the same.
    if size > 0, ftruncate(descriptor, 0) == 0 { size = 0 }
    return true
  }

  private func rotate() {
    close(descriptor)
    descriptor = -1
    size = 0
    for index in stride(from: LogBounds.filesMax - 2, through: 0, by: -1) {
      rename(path(index), path(index + 1))
    }
  }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  private func close(_ descriptor: Int32) { Glibc.close(descriptor) }

  /// The last `count` lines, oldest first.
  func tail(_ count: Int) -> [LogEntry] {
    var entries: [LogEntry] = []
    for index in 0..<LogBounds.filesMax where entries.count < count {
      guard let bytes = read(path(index)) else { continue }
      // From the end, so that a line that cannot be read does not count as one of those asked for.
      var found: [LogEntry] = []
      for line in bytes.split(separator: UInt8(ascii: "\n")).reversed() {
        if entries.count + found.count == count { break }
        if let entry = LogEntry(line: line) { found.append(entry) }
      }
      entries.insert(contentsOf: found.reversed(), at: 0)
    }
    return entries
  }

  private func read(_ path: String) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { Glibc.close(file) }
    var bytes = [UInt8](repeating: 0, count: LogBounds.fileBytesMax + LogBounds.lineBytesMax * 8)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(file, $0.baseAddress.map { $0 + filled }, $0.count - filled)
      }
      if count <= 0 { break }
      filled += count
    }
    return Array(bytes[..<filled])
  }
}
