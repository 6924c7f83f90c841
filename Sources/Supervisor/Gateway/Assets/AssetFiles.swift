// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import NIOCore

/// Looks at files. Blocks, so it runs on a thread made for that.
struct AssetFiles: Sendable {
  let cachedFileMax: Int
  let listedNamesMax: Int
  /// Seconds since 1970.
  let wallClock: @Sendable () -> Int

  /// What there is at a path.
  enum Found: Sendable {
    case file(Asset)
    /// A directory, and whether it holds an `index.html`.
    case directory(hasIndex: Bool)
    /// Nothing that is served.
    case nothing
  }

  /// The visible names of one directory.
  struct Listing: Sendable {
    /// Nil if there are too many to keep.
    var names: Set<String>?
    var modified: Asset.Identity
  }

  /// Opens for reading beneath the root, following no link: the files came with an app, and a link
  /// among them could lead anywhere.
  private func open(_ root: Int32, _ path: String, _ flags: Int32 = 0) -> Int32 {
    // RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH
    bh_openat2(root, path, UInt64(O_RDONLY | O_NONBLOCK | O_NOCTTY | flags), 0, 0x0F)
  }

  private func openRoot(_ root: String) -> Int32 {
    Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  }

  /// - Parameter known: the asset as it was before; given back if the file is still the same.
  func find(_ path: String, in root: String, known: Asset?) -> Found {
    let rootDescriptor = openRoot(root)
    guard rootDescriptor >= 0 else { return .nothing }
    defer { close(rootDescriptor) }
    let file = open(rootDescriptor, path)
    guard file >= 0 else { return .nothing }
    defer { close(file) }
    guard let status = status(file) else { return .nothing }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return .directory(hasIndex: hasFile(rootDescriptor, path + "/index.html"))
    case S_IFREG: break
    default: return .nothing
    }
    let variants = self.variants(of: path, rootDescriptor, known: known)
    let identity = Self.identity(status)
    if let known, known.identity == identity, known.variants.elementsEqual(variants, by: ===) {
      return .file(known)
    }
    return .file(
      Asset(
        path: path, identity: identity, content: content(file, identity.size), variants: variants))
  }

  /// Opens a file to be sent, only if that takes no waiting for a disk: the names are in the kernel's cache, and so is
  /// the file's beginning. Otherwise nil. The descriptor is the caller's to close.
  func openAtOnce(
    _ path: String, in root: String
  ) -> (descriptor: Int32, identity: Asset.Identity)? {
    // RESOLVE_CACHED (Linux 5.12)
    let directory = UInt64(O_RDONLY | O_DIRECTORY)
    let rootDescriptor = bh_openat2(AT_FDCWD, root, directory, 0, 0x20)
    guard rootDescriptor >= 0 else { return nil }
    defer { close(rootDescriptor) }
    let file = bh_openat2(
      rootDescriptor, path, UInt64(O_RDONLY | O_NONBLOCK | O_NOCTTY), 0, 0x2F)
    guard file >= 0 else { return nil }
    guard let status = status(file), status.st_mode & S_IFMT == S_IFREG,
      bh_is_cached(file) == 1
    else {
      close(file)
      return nil
    }
    return (file, Self.identity(status))
  }

  /// Opens a file to be sent. The descriptor is the caller's to close.
  func open(_ path: String, in root: String) -> (descriptor: Int32, identity: Asset.Identity)? {
    let rootDescriptor = openRoot(root)
    guard rootDescriptor >= 0 else { return nil }
    defer { close(rootDescriptor) }
    let file = open(rootDescriptor, path)
    guard file >= 0 else { return nil }
    guard let status = status(file), status.st_mode & S_IFMT == S_IFREG else {
      close(file)
      return nil
    }
    // The first bytes are read into the page cache here rather than on an event loop.
    posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL)
    posix_fadvise(file, 0, 524_288, POSIX_FADV_WILLNEED)
    return (file, Self.identity(status))
  }

  /// - Parameter known: the listing as it was before; given back if the directory is still the same.
  func list(_ directory: String, in root: String, known: Listing?) -> Listing {
    let absent = Listing(
      names: [],
      modified: Asset.Identity(size: 0, modifiedSeconds: 0, modifiedNanoseconds: 0, inode: 0))
    let rootDescriptor = openRoot(root)
    guard rootDescriptor >= 0 else { return absent }
    defer { close(rootDescriptor) }
    let opened = open(rootDescriptor, directory.isEmpty ? "." : directory, O_DIRECTORY)
    guard opened >= 0 else { return absent }
    guard let status = status(opened), let stream = fdopendir(opened) else {
      close(opened)
      return absent
    }
    defer { closedir(stream) }
    let modified = Self.identity(status)
    // A directory that changed this very moment may change again without its time showing it.
    if let known, known.modified == modified, wallClock() - modified.modifiedSeconds > 2 {
      return known
    }
    return Listing(names: names(stream, opened), modified: modified)
  }

  private func names(_ stream: OpaquePointer, _ directory: Int32) -> Set<String>? {
    var names: Set<String> = []
    while let entry = readdir(stream) {
      let kind = Int32(entry.pointee.d_type)
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard !name.hasPrefix(".") || name == ".well-known",
        kind == 4 /* DT_DIR */ || kind == 8 /* DT_REG */ || kind == 0
      else { continue }
      guard names.count < listedNamesMax else { return nil }
      names.insert(name)
    }
    return names
  }

  private func variants(of path: String, _ root: Int32, known: Asset?) -> [Asset] {
    [(Asset.Encoding.brotli, ".br"), (.gzip, ".gz")].compactMap { encoding, suffix in
      let file = open(root, path + suffix)
      guard file >= 0 else { return nil }
      defer { close(file) }
      guard let status = status(file), status.st_mode & S_IFMT == S_IFREG else { return nil }
      let identity = Self.identity(status)
      if let same = known?.variants.first(where: {
        $0.encoding == encoding && $0.identity == identity
      }) {
        return same
      }
      return Asset(
        path: path + suffix, identity: identity, content: content(file, identity.size),
        encoding: encoding, original: path, varies: true)
    }
  }

  private func hasFile(_ root: Int32, _ path: String) -> Bool {
    let file = open(root, path)
    guard file >= 0 else { return false }
    defer { close(file) }
    return status(file).map { $0.st_mode & S_IFMT == S_IFREG } ?? false
  }

  private func status(_ file: Int32) -> stat? {
    var status = stat()
    return fstat(file, &status) == 0 ? status : nil
  }

  /// The whole file if it is small; nil if it is large, or changes while it is read.
  private func content(_ file: Int32, _ size: Int) -> ByteBuffer? {
    guard size <= cachedFileMax else { return nil }
    var buffer = ByteBuffer()
    buffer.reserveCapacity(size)
    while buffer.readableBytes < size {
      let rest = size - buffer.readableBytes
      let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: rest) { space in
        max(0, read(file, space.baseAddress, min(space.count, rest)))
      }
      guard count > 0 else { return nil }
    }
    return buffer
  }

  static func identity(_ status: stat) -> Asset.Identity {
    Asset.Identity(
      size: Int(status.st_size), modifiedSeconds: status.st_mtim.tv_sec,
      modifiedNanoseconds: status.st_mtim.tv_nsec, inode: UInt64(status.st_ino))
  }
}
