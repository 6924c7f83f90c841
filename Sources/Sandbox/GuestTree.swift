// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc

/// A directory a guest can write to, as the host must look at it: whatever is in it, nothing
/// outside it is opened.
///
/// Every path is resolved by the kernel beneath the directory, without symbolic links and without
/// leaving its file system (`openat2`), so a link a guest left, or swaps in while the host looks,
/// is an error and not a way out. Pipes and devices are never waited for.
public final class GuestTree: Sendable {
  private let root: Int32
  public let path: String

  /// - Throws: ``SandboxError`` (`bindSource`) when it is not a directory or cannot be opened.
  public init(_ path: String) throws(SandboxError) {
    self.path = path
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard root >= 0 else { throw SandboxError(.bindSource, errno: errno, path) }
  }

  deinit { close(root) }

  /// RESOLVE_NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH
  private static let resolve: UInt64 = 0x01 | 0x02 | 0x04 | 0x08

  /// Opens a regular file for reading; the caller owns the descriptor.
  ///
  /// - Parameter relative: below the directory, like "log/today.txt".
  /// - Throws: ELOOP for a link on the way, EXDEV for a way out, EINVAL for anything but a file.
  public func openFile(_ relative: String) throws(SandboxError) -> Int32 {
    // O_NONBLOCK: a pipe without a writer must not hold the host.
    let file = bh_openat2(
      root, relative, UInt64(O_RDONLY | O_NONBLOCK | O_NOCTTY), 0, Self.resolve)
    guard file >= 0 else { throw SandboxError(.file, errno: -file, relative) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(file)
      throw SandboxError(.file, errno: EINVAL, "\(relative) is not a file")
    }
    return file
  }

  /// The content of a file, if it is no longer than `max` bytes (EFBIG).
  public func read(_ relative: String, max: Int) throws(SandboxError) -> [UInt8] {
    let file = try openFile(relative)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: max + 1)
    var length = 0
    while length <= max {
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(file, $0.baseAddress?.advanced(by: length), $0.count - length)
      }
      guard count >= 0 else { throw SandboxError(.file, errno: errno, relative) }
      if count == 0 { return Array(bytes[..<length]) }
      length += count
    }
    throw SandboxError(.file, errno: EFBIG, relative)
  }

  /// What the tree holds on disk.
  public struct Size: Sendable, Equatable {
    /// Allocated bytes; a file with several links counts once per link.
    public var bytes: UInt64 = 0
    public var entries: UInt64 = 0
    /// False when the walk stopped at its bound: the figures are then lower bounds.
    public var isComplete = true
  }

  /// Walks the tree. LIMIT: `entriesMax` entries and 64 levels.
  public func size(entriesMax: UInt64 = 1_000_000) -> Size {
    var size = Size()
    _ = walk(descriptor: root, depth: 0) { status in
      size.bytes += UInt64(status.st_blocks) * 512
      size.entries += 1
      if size.entries >= entriesMax { size.isComplete = false }
      return size.isComplete
    } tooDeep: {
      size.isComplete = false
    }
    return size
  }

  /// Removes everything in the directory, and the directory. Never follows a link.
  ///
  /// - Throws: the first errno; what could be removed is gone all the same.
  public func remove() throws(SandboxError) {
    var first: Int32 = 0
    empty(root, depth: 0, &first)
    if rmdir(path) < 0 && first == 0 { first = errno }
    if first != 0 { throw SandboxError(.file, errno: first, path) }
  }

  // MARK: -

  /// A file name as the kernel has it: any bytes, ending in NUL. Not a String: a guest chooses it.
  private typealias Name = [CChar]

  private func openDirectory(_ name: Name, in parent: Int32) -> Int32 {
    let flags = UInt64(O_RDONLY | O_DIRECTORY)
    let directory = bh_openat2(parent, name, flags, 0, Self.resolve)
    guard directory == -EACCES else { return directory }
    // A directory its owner closed can be opened by its owner: by descriptor, not by name again.
    let handle = bh_openat2(parent, name, UInt64(oPath | O_DIRECTORY), 0, Self.resolve)
    guard handle >= 0 else { return handle }
    defer { close(handle) }
    chmod("/proc/self/fd/\(handle)", 0o700)
    return bh_openat2(parent, name, flags, 0, Self.resolve)
  }

  private func names(in descriptor: Int32) -> [Name] {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { return [] }
    guard let directory = fdopendir(copy) else {
      close(copy)
      return []
    }
    defer { closedir(directory) }
    rewinddir(directory)
    var names: [Name] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { pointer in
          Name(UnsafeBufferPointer(start: pointer, count: strlen(pointer) + 1))
        }
      }
      if name != [0x2E, 0] && name != [0x2E, 0x2E, 0] { names.append(name) }
    }
    return names
  }

  /// Calls `visit` for every entry until it returns false; `tooDeep` where it does not go further.
  private func walk(
    descriptor: Int32, depth: Int, _ visit: (stat) -> Bool, tooDeep: () -> Void
  ) -> Bool {
    guard depth < 64 else {
      tooDeep()
      return true
    }
    for name in names(in: descriptor) {
      var status = stat()
      guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
      guard visit(status) else { return false }
      guard status.st_mode & S_IFMT == S_IFDIR else { continue }
      let child = bh_openat2(
        descriptor, name, UInt64(O_RDONLY | O_DIRECTORY), 0, Self.resolve)
      guard child >= 0 else { continue }
      defer { close(child) }
      guard walk(descriptor: child, depth: depth + 1, visit, tooDeep: tooDeep) else { return false }
    }
    return true
  }

  /// Depth first. LIMIT: 512 levels, as many descriptors; a deeper one is reported, not followed.
  private func empty(_ descriptor: Int32, depth: Int, _ first: inout Int32) {
    for name in names(in: descriptor) {
      if unlinkat(descriptor, name, 0) == 0 { continue }
      guard errno == EISDIR || errno == EPERM, depth < 512 else {
        if first == 0 { first = errno }
        continue
      }
      let child = openDirectory(name, in: descriptor)
      if child >= 0 {
        empty(child, depth: depth + 1, &first)
        close(child)
      }
      if unlinkat(descriptor, name, AT_REMOVEDIR) < 0 && first == 0 { first = errno }
    }
  }
}

/// O_PATH, which Glibc's module does not have.
private let oPath: Int32 = 0o10_000_000
