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

  static func measure(_ path: String) -> StorageSurvey {
    var survey = StorageSurvey()
    let root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard root >= 0 else { return survey }
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
      guard entries < Self.entriesMax, depth < 128 else {
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
    if inner >= 0 { walk(inner, depth: depth + 1) }
  }
}
