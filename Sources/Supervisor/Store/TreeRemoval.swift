// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Removes a tree that a guest may have written: by descriptor, following no link, whatever the names, however deep,
/// and without the permissions a guest may have taken away.
package struct TreeRemoval {
  /// Directories deeper than this are first moved up, so that depth costs neither descriptors nor stack.
  private static let depthMax = 16
  /// Each pass takes `depthMax` levels off the deepest branch.
  private static let passesMax = 100_000

  private let root: Int32
  private let shown: String
  private var moved = 0
  private var left: [String] = []

  /// Best effort by design.
  ///
  /// - Returns: what could not be removed, by name.
  package static func remove(_ path: String) -> [String] {
    let slash = path.lastIndex(of: "/")
    let parent = slash.map { String(path[..<$0]) } ?? "."
    let name = FileName(slash.map { String(path[path.index(after: $0)...]) } ?? path)
    let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return errno == ENOENT ? [] : [path] }
    defer { close(directory) }
    if unlink(name, in: directory) { return [] }
    let root = openDirectory(name, in: directory)
    guard root >= 0 else { return [path] }
    var removal = TreeRemoval(root: root, shown: path)
    removal.empty()
    close(root)
    guard name.withCString({ unlinkat(directory, $0, AT_REMOVEDIR) }) == 0 else {
      return removal.left.isEmpty ? [path] : removal.left
    }
    return []
  }

  private init(root: Int32, shown: String) {
    self.root = root
    self.shown = shown
  }

  private mutating func empty() {
    for _ in 0..<Self.passesMax {
      let before = moved
      left = []
      empty(root, shown: shown, depth: 1)
      if moved == before { return }
    }
  }

  private mutating func empty(_ directory: Int32, shown: String, depth: Int) {
    let names: [FileName]
    do throws(DurableFile.Failure) {
      names = try DirectoryListing.names(of: directory)
    } catch {
      left.append(shown)
      return
    }
    for name in names where !Self.unlink(name, in: directory) {
      let path = "\(shown)/\(name.shown)"
      if depth >= Self.depthMax {
        if !moveUp(name, from: directory) { left.append(path) }
      } else {
        remove(name, in: directory, shown: path, depth: depth)
      }
    }
  }

  private mutating func remove(_ name: FileName, in parent: Int32, shown: String, depth: Int) {
    let directory = Self.openDirectory(name, in: parent)
    guard directory >= 0 else {
      left.append(shown)
      return
    }
    let movedBefore = moved
    let leftBefore = left.count
    empty(directory, shown: shown, depth: depth + 1)
    close(directory)
    if name.withCString({ unlinkat(parent, $0, AT_REMOVEDIR) }) != 0, moved == movedBefore,
      left.count == leftBefore
    {
      left.append(shown)
    }
  }

  /// Puts a directory into the root under a new name; the next pass finds it there.
  private mutating func moveUp(_ name: FileName, from directory: Int32) -> Bool {
    let opened = Self.openDirectory(name, in: directory)
    guard opened >= 0 else { return false }
    close(opened)
    for _ in 0..<1_000 {
      moved += 1
      let target = ".deep-\(moved)"
      if name.withCString({ renameat(directory, $0, root, target) }) == 0 { return true }
      // The guest may have used the name; an empty directory of it is replaced, which does no harm here.
      guard [EEXIST, ENOTEMPTY, ENOTDIR].contains(errno) else { return false }
    }
    return false
  }

  /// Whether the entry is gone now; false for a directory.
  private static func unlink(_ name: FileName, in parent: Int32) -> Bool {
    name.withCString { unlinkat(parent, $0, 0) } == 0 || errno == ENOENT
  }

  /// Opens a directory and takes back the owner's right to it.
  private static func openDirectory(_ name: FileName, in parent: Int32) -> Int32 {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    var directory = name.withCString { openat(parent, $0, flags) }
    if directory < 0, errno == EACCES {
      // Not a link: unlinkat would have removed that.
      _ = name.withCString { fchmodat(parent, $0, 0o700, 0) }
      directory = name.withCString { openat(parent, $0, flags) }
    }
    guard directory >= 0 else { return directory }
    var facts = stat()
    if fstat(directory, &facts) == 0, facts.st_mode & 0o700 != 0o700 { fchmod(directory, 0o700) }
    return directory
  }
}
