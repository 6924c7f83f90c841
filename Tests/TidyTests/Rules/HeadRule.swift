// SPDX-License-Identifier: Apache-2.0

/// The first line of a source file is its licence, and nothing more of the kind follows.
enum HeadRule {
  static let line = "SPDX-License-Identifier: Apache-2.0"
  private static let extensions = ["swift", "c", "h", "py", "mjs", "js", "cjs", "ts", "sh"]

  static func check(_ file: Repository.File) -> [Complaint] {
    let isScript = file.text.hasPrefix("#!")
    guard extensions.contains(file.fileExtension) || isScript, !file.text.isEmpty else { return [] }
    // The first line SwiftPM needs in a manifest is another.
    guard file.name != "Package.swift" else { return [] }
    let head = file.lines.prefix(isScript ? 2 : 1)
    return head.contains { $0.contains(line) }
      ? [] : [Complaint(path: file.path, line: 1, reason: "begin with // \(line)")]
  }
}
