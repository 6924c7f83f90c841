// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Removes a tree that a guest may have written: by descriptor, following no link.
enum TreeRemoval {
  /// Best effort by design: what could not be removed is returned by name.
  static func remove(_ path: String) -> [String] {
    var left: [String] = []
    let slash = path.lastIndex(of: "/")
    let parent = slash.map { String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return errno == ENOENT ? [] : [path] }
    defer { close(directory) }
    remove(name, in: directory, shown: path, depth: 0, left: &left)
    return left
  }

  private static func remove(
    _ name: String, in parent: Int32, shown: String, depth: Int, left: inout [String]
  ) {
    if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
    // EISDIR on Linux, EPERM on some filesystems (unlink(2)).
    guard errno == EISDIR || errno == EPERM, depth < 256 else {
      left.append(shown)
      return
    }
    let directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else {
      left.append(shown)
      return
    }
    for entry in names(in: directory) {
      remove(entry, in: directory, shown: "\(shown)/\(entry)", depth: depth + 1, left: &left)
    }
    close(directory)
    if unlinkat(parent, name, AT_REMOVEDIR) != 0 { left.append(shown) }
  }

  /// Entry names as C sees them; a name that is not UTF-8 is repaired and so shows up in what is left.
  private static func names(in directory: Int32) -> [String] {
    let own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard own >= 0, let stream = fdopendir(own) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
