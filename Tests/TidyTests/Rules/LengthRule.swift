// SPDX-License-Identifier: Apache-2.0

/// Functions are short. The measure is a ratchet: what is long today may stay, nothing may join it.
enum LengthRule {
  static let linesMax = 50
  /// Functions longer than `linesMax` and how long each was when it was let through. Shorten one, then lower or remove
  /// its number.
  static let letThrough: [String: Int] = [
    "Sources/Meter/Limits/LedgerDesk.swift": 57,
    "Sources/Supervisor/Gateway/HTTP/FieldKind.swift": 56,
    "Sources/Supervisor/Guests/GuestLifecycle.swift": 53,
    "Tests/SQLWorkerTests/DurabilityTests.swift": 60,
  ]

  static func check(_ file: Repository.File) -> [Complaint] {
    guard file.fileExtension == "swift" else { return [] }
    let limit = letThrough[file.path] ?? linesMax
    return functions(file).filter { $0.length > limit }.map {
      Complaint(
        path: file.path, line: $0.line,
        reason: "\($0.name) has \($0.length) lines; \(limit) are allowed: take it apart")
    }
  }

  /// Matched by indentation, which the formatter makes reliable.
  static func functions(_ file: Repository.File) -> [(name: String, line: Int, length: Int)] {
    let lines = file.lines
    return lines.indices.compactMap { start in
      let line = lines[start]
      let indent = line.prefix { $0 == " " }
      let words = line.dropFirst(indent.count).split(separator: " ")
      guard let word = words.first(where: { !isModifier($0) }), isFunction(word) else { return nil }
      // A declaration without a body, as in a protocol, ends before the next one of its depth.
      guard
        let end = lines[start...].dropFirst().firstIndex(where: {
          !$0.isEmpty && $0.prefix { $0 == " " }.count <= indent.count
            && !$0.hasPrefix("\(indent))")
        }), lines[end].hasPrefix("\(indent)}")
      else { return nil }
      return (words.joined(separator: " "), start + 1, end - start + 1)
    }
  }

  private static func isModifier(_ word: Substring) -> Bool {
    word.hasPrefix("@")
      || [
        "public", "package", "internal", "fileprivate", "private", "static", "final", "override",
        "mutating", "consuming", "borrowing", "nonisolated", "convenience", "required", "class",
      ].contains(word)
  }

  private static func isFunction(_ word: Substring) -> Bool {
    word == "func" || word.hasPrefix("init(") || word.hasPrefix("init?(") || word.hasPrefix("init<")
  }
}
