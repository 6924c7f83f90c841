// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The files of this repository, as the rules see them.
struct Repository {
  /// One text file; the path is relative to the root.
  struct File: Sendable {
    let path: String
    let text: String
    let lines: [Substring]

    init(path: String, text: String) {
      self.path = path
      self.text = text
      // By bytes: looking for the ends of characters takes most of the time otherwise.
      lines = text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false)
        .map { Substring($0) }
    }

    /// Whether a word stands anywhere in the file.
    func has(_ word: String) -> Bool { strstr(text, word) != nil }

    /// The lines, with their numbers, that hold one of the words; most files hold none.
    func lines(with words: [String]) -> [(number: Int, text: Substring)] {
      let present = words.filter(has)
      guard !present.isEmpty else { return [] }
      return lines.enumerated().filter { line in present.contains { line.element.contains($0) } }
        .map { ($0.offset + 1, $0.element) }
    }

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    var fileExtension: String {
      name.split(separator: ".").count > 1 ? String(name.split(separator: ".").last ?? "") : ""
    }
    /// The target of a file below `Sources`; nil for any other.
    var target: String? {
      let parts = path.split(separator: "/")
      return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }
  }

  let files: [File]

  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static let current = Repository(root: root)

  private init(root: URL) {
    let folders = ["Sources", "Tests", "samples", "sdk", "scripts", "docs", "Benchmarks", ".ci"]
    let loose = ["Package.swift", "README.md", "CHANGELOG.md", "Makefile"]
    let paths =
      loose
      + folders.flatMap { folder in
        (FileManager.default.enumerator(atPath: root.appending(path: folder).path)?
          .compactMap { $0 as? String } ?? []).map { "\(folder)/\($0)" }
      }
    files = paths.sorted().compactMap { path in
      guard !Self.isGenerated(path),
        let data = FileManager.default.contents(atPath: root.appending(path: path).path),
        let text = String(validating: data, as: UTF8.self), !text.contains("\0")
      else { return nil }
      return File(path: path, text: text)
    }
  }

  /// What tools leave behind and git ignores.
  private static func isGenerated(_ path: String) -> Bool {
    let parts = path.split(separator: "/")
    return parts.contains { ["__pycache__", "node_modules", ".build"].contains($0) }
      || path.hasSuffix(".pyc") || path.hasSuffix(".o")
  }

  var swift: [File] { files.filter { $0.fileExtension == "swift" } }
}

/// What a rule found: where, and what to do.
struct Complaint: Equatable, CustomStringConvertible {
  var path: String
  var line: Int
  var reason: String
  var description: String { "\(path):\(line): \(reason)" }
}
