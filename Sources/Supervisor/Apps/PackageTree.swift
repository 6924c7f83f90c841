// SPDX-License-Identifier: Apache-2.0
import CHostShims
import GuestAPI
import Glibc

/// Copies an app's files into the host's keeping. The tree is not trusted: nothing outside it is read, nothing but
/// directories, regular files and symbolic links that stay inside it is accepted, and modes become 0644 or 0755.
package struct PackageTree {
  package struct Bounds: Sendable {
    package var entries = 100_000
    package var bytes: Int64 = 4 << 30
    package var depth = 64
    package init() {}
  }

  package struct Totals: Sendable, Equatable {
    package var entries = 0
    package var bytes: Int64 = 0
    package init(entries: Int = 0, bytes: Int64 = 0) {
      self.entries = entries
      self.bytes = bytes
    }
  }

  private let bounds: Bounds
  package private(set) var totals = Totals()
  private var buffer = [UInt8](repeating: 0, count: 131_072)

  /// Names left behind: they belong to the author's tools, not to the app.
  package static let ignored: Set<String> = [".git", ".hg", ".svn", "__pycache__", ".DS_Store"]

  package init(bounds: Bounds = Bounds()) { self.bounds = bounds }

  /// - Throws: `HostError` with area `params` for what the author must mend, `internal` for what the host could not do.
  package mutating func copy(from source: String, to target: String) throws(HostError) {
    let from = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard from >= 0 else {
      throw HostError(.params, "directory", "\(source) cannot be opened: \(reason())")
    }
    defer { close(from) }
    guard mkdir(target, 0o755) == 0 else { throw failed("mkdir", target) }
    let to = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard to >= 0 else { throw failed("open", target) }
    defer { close(to) }
    try copyDirectory(from: from, to: to, path: "", depth: 0)
    guard bh_syncfs(to) == 0 else { throw failed("syncfs", target) }
  }

  private func reason() -> String { String(cString: strerror(errno)) }

  private func failed(_ call: String, _ path: String) -> HostError {
    let isFull = errno == ENOSPC || errno == EDQUOT
    return HostError(
      .internal, isFull ? "disk_full" : "install",
      isFull
        ? "the disk is full; free some space and install again"
        : "the app's files could not be copied (\(call): \(reason()))", log: "\(call) \(path)")
  }

  private func refused(_ path: String, _ why: String) -> HostError {
    HostError(.params, "package", "\(path): \(why)")
  }

  private func tooMany(_ path: String) -> HostError {
    refused(path.isEmpty ? "." : path, "more than \(bounds.entries) files and directories")
  }

  private mutating func copyDirectory(
    from: Int32, to: Int32, path: String, depth: Int
  ) throws(HostError) {
    guard depth <= bounds.depth else {
      throw refused(path, "directories nest deeper than \(bounds.depth)")
    }
    for name in try entries(of: from, path: path) where !Self.ignored.contains(name) {
      totals.entries += 1
      guard totals.entries <= bounds.entries else {
        throw tooMany(path)
      }
      let inner = path.isEmpty ? name : "\(path)/\(name)"
      var facts = stat()
      guard fstatat(from, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else {
        throw refused(inner, reason())
      }
      switch facts.st_mode & S_IFMT {
      case S_IFDIR: try copySubdirectory(name, from: from, to: to, path: inner, depth: depth)
      case S_IFREG: try copyFile(name, from: from, to: to, path: inner)
      case S_IFLNK: try copyLink(name, from: from, to: to, path: inner)
      default: throw refused(inner, "only files, directories and links can be installed")
      }
    }
  }

  private func entries(of directory: Int32, path: String) throws(HostError) -> [String] {
    let found: [FileName]
    do throws(DurableFile.Failure) {
      found = try DirectoryListing.names(of: directory, max: bounds.entries)
    } catch {
      guard error.errno != E2BIG else { throw tooMany(path) }
      throw refused(path, String(cString: strerror(error.errno)))
    }
    var names: [String] = []
    for name in found {
      guard let text = name.text else {
        throw refused(path, "holds a name that is not UTF-8 (\(name.shown))")
      }
      names.append(text)
    }
    return names.sorted()
  }

  private mutating func copySubdirectory(
    _ name: String, from: Int32, to: Int32, path: String, depth: Int
  ) throws(HostError) {
    guard mkdirat(to, name, 0o755) == 0 else { throw failed("mkdir", path) }
    let source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard source >= 0 else { throw refused(path, reason()) }
    defer { close(source) }
    let target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard target >= 0 else { throw failed("open", path) }
    defer { close(target) }
    try copyDirectory(from: source, to: target, path: path, depth: depth + 1)
  }

  private mutating func copyFile(
    _ name: String, from: Int32, to: Int32, path: String
  ) throws(HostError) {
    // O_NONBLOCK: a file swapped for a fifo must not hang the host.
    let source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard source >= 0 else { throw refused(path, reason()) }
    defer { close(source) }
    var facts = stat()
    guard fstat(source, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      throw refused(path, "changed while it was installed")
    }
    // A sparse file is refused by its length, not after its zeros have filled the disk.
    guard Int64(facts.st_size) <= bounds.bytes - totals.bytes else {
      throw refused(path, "the app is larger than \(bounds.bytes) bytes")
    }
    let mode: mode_t = facts.st_mode & 0o111 != 0 ? 0o755 : 0o644
    let target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    guard target >= 0 else { throw failed("create", path) }
    defer { close(target) }
    guard fchmod(target, mode) == 0 else { throw failed("chmod", path) }
    while true {
      let count = read(source, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw refused(path, reason()) }
      if count == 0 { return }
      totals.bytes += Int64(count)
      guard totals.bytes <= bounds.bytes else {
        throw refused(path, "the app is larger than \(bounds.bytes) bytes")
      }
      do throws(DurableFile.Failure) {
        try DurableFile.write(Array(buffer[..<count]), to: target, path: path)
      } catch { throw failed("write", path) }
    }
  }

  private func copyLink(
    _ name: String, from: Int32, to: Int32, path: String
  ) throws(HostError) {
    var target = [UInt8](repeating: 0, count: 4_096)
    let count = target.withUnsafeMutableBytes { bytes in
      bytes.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { readlinkat(from, name, $0, text.count) } ?? -1
      }
    }
    guard count > 0, count < target.count,
      let text = String(validating: target[..<count], as: UTF8.self)
    else { throw refused(path, "is a link that cannot be read") }
    guard Self.staysInside(link: path, target: text) else {
      throw refused(path, "is a link that leads out of the app (\(text)); copy the file instead")
    }
    guard symlinkat(text, to, name) == 0 else { throw failed("symlink", path) }
  }

  /// Whether a relative link cannot leave the tree, judged by its text alone.
  ///
  /// `..` may stand only at the beginning: there it climbs from the directory the link lies in, which was walked and is
  /// real. Behind a name it would climb from wherever that name leads, which may be another link: `up -> ../..` and
  /// `out -> a/b/up/..` each look harmless.
  package static func staysInside(link: String, target: String) -> Bool {
    guard !target.hasPrefix("/") else { return false }
    let parts = target.split(separator: "/").filter { $0 != "." }
    let climbs = parts.prefix { $0 == ".." }.count
    guard !parts.dropFirst(climbs).contains("..") else { return false }
    return climbs <= link.split(separator: "/").count - 1
  }
}
