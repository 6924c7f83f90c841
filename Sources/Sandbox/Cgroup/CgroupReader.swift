// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// The accounting files of one cgroup, kept open: a reading is one `pread` a file instead of three
/// calls and a walk of the path. Two hundred guests are read every second.
final class CgroupReader: Sendable {
  private let descriptors: [Int32]
  private let lastSplit = Mutex<(user: UInt64, system: UInt64)>((0, 0))

  /// Nil when the first of the files cannot be opened; others may be missing.
  init?(_ paths: [String]) {
    descriptors = paths.map { open($0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
    if descriptors.first ?? -1 < 0 {
      for descriptor in descriptors where descriptor >= 0 { close(descriptor) }
      return nil
    }
  }

  deinit { for descriptor in descriptors where descriptor >= 0 { close(descriptor) } }

  /// Divides a total into user and system so that neither ever goes back.
  ///
  /// The two files are read one after the other while the process runs, so their difference alone is now too large,
  /// now too small; a counter that goes back would be taken for a new one.
  func split(total: UInt64, user: UInt64) -> (user: UInt64, system: UInt64) {
    lastSplit.withLock { last in
      let total = max(total, last.user + last.system)
      let user = min(max(user, last.user), total - last.system)
      last = (user, total - user)
      return last
    }
  }

  /// The number a file begins with.
  func number(_ index: Int) -> UInt64? {
    withText(index) { Self.parse($0) } ?? nil
  }

  /// The number on the line that begins with `key`.
  func field(_ index: Int, _ key: StaticString) -> UInt64? {
    withText(index) { Self.field(in: $0, key) } ?? nil
  }

  private static func field(in text: UnsafeBufferPointer<UInt8>, _ key: StaticString) -> UInt64? {
    let size = key.utf8CodeUnitCount
    var start = 0
    while start < text.count {
      var end = start
      while end < text.count && text[end] != 0x0A { end += 1 }
      if end - start > size && text[start + size] == 0x20 {
        let isKey = (0..<size).allSatisfy { text[start + $0] == key.utf8Start[$0] }
        let rest: Slice<UnsafeBufferPointer<UInt8>> = text[(start + size + 1)..<end]
        if isKey { return parse(UnsafeBufferPointer<UInt8>(rebasing: rest)) }
      }
      start = end + 1
    }
    return nil
  }

  private func withText<T>(_ index: Int, _ body: (UnsafeBufferPointer<UInt8>) -> T) -> T? {
    let descriptor = descriptors[index]
    guard descriptor >= 0 else { return nil }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2048) { buffer -> T? in
      let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
      guard count > 0 else { return nil }
      return body(UnsafeBufferPointer(rebasing: buffer[..<count]))
    }
  }

  private static func parse(_ text: UnsafeBufferPointer<UInt8>) -> UInt64? {
    var value: UInt64?
    for byte in text {
      guard (0x30...0x39).contains(byte) else { break }
      value = (value ?? 0) &* 10 &+ UInt64(byte - 0x30)
    }
    return value
  }
}

/// The readers in use, one per process or app.
final class CgroupReaders: Sendable {
  private let readers = Mutex<[String: CgroupReader]>([:])

  /// LIMIT: descriptors are finite; beyond these the files are opened for each reading.
  static let countMax = 512

  /// The reader kept under a name, or a new one for the paths.
  func reader(_ name: String, _ paths: () -> [String]) -> CgroupReader? {
    if let known = readers.withLock({ $0[name] }) { return known }
    guard let reader = CgroupReader(paths()) else { return nil }
    readers.withLock { if $0.count < Self.countMax { $0[name] = reader } }
    return reader
  }

  func forget(_ name: String) { readers.withLock { $0[name] = nil } }
}
