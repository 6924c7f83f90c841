// SPDX-License-Identifier: Apache-2.0
import Glibc
import Meter

/// How much an app holds on disk, by kind. Walks by descriptor and follows no link, since a guest wrote some of it.
struct StorageSurvey {
  /// Bytes the file system allocated (`st_blocks` × 512, stat(2)), so that a sparse file counts what it takes.
  private(set) var bytes: Int64 = 0
  private(set) var entries = 0
  /// True if the walk stopped at its bound; the figure is then a lower one.
  private(set) var isCut = false
  private var bound = entriesMax

  static let entriesMax = 1_000_000
  static let kinds = ["sqlite", "data", "objects", "logs", "code"]

  static func path(of kind: String, in directory: AppDirectory) -> String {
    switch kind {
    case "sqlite": directory.sql
    case "data": directory.data
    case "objects": directory.objects
    case "logs": directory.log
    default: directory.versions
    }
  }

  static func measure(_ path: String, entriesMax: Int = entriesMax) -> StorageSurvey {
    var survey = StorageSurvey()
    survey.bound = entriesMax
    let root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard root >= 0 else {
      survey.isCut = errno != ENOENT
      return survey
    }
    survey.walk(root, depth: 0)
    return survey
  }

  /// Takes over `directory`.
  private mutating func walk(_ directory: Int32, depth: Int) {
    guard let stream = fdopendir(directory) else {
      close(directory)
      return
    }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      guard entries < bound, depth < 128 else {
        isCut = true
        return
      }
      withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { add($0, in: directory, depth: depth) }
      }
    }
  }

  private mutating func add(_ name: UnsafePointer<CChar>, in directory: Int32, depth: Int) {
    if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
    var facts = stat()
    guard fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else { return }
    entries += 1
    bytes += Int64(facts.st_blocks) * 512
    guard facts.st_mode & S_IFMT == S_IFDIR else { return }
    let inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    if inner >= 0 {
      walk(inner, depth: depth + 1)
    } else if errno != ENOENT {
      // Closed to us (a plain user's guest has the same uid, and may take its directories' modes away): what it holds
      // is not known.
      isCut = true
    }
  }
}
