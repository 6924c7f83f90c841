// SPDX-License-Identifier: Apache-2.0

/// Words that have no place here, each with a reason.
struct PatternRule {
  var pattern: @Sendable (Substring) -> Bool
  var reason: String
  /// Paths it does not look at, by prefix.
  var exempt: [String] = []

  static let swift: [PatternRule] = [
    PatternRule(
      pattern: { $0.contains("import XCTest") }, reason: "tests are written with Swift Testing"),
    PatternRule(
      pattern: { $0.contains("@testable import") },
      reason: "release tests cannot see internals; use the package access level"),
    PatternRule(
      pattern: { $0.contains("try!") }, reason: "an error ends the host; throw or handle it"),
    PatternRule(
      pattern: { $0.contains("static let shared") },
      reason: "no global state: it comes through an initialiser", exempt: ["Tests/"]),
    PatternRule(
      pattern: { $0.contains("fatalError(") },
      reason: "only our own bugs end the process, by precondition and with words",
      // A guest that cannot have its one thread has nothing to go on with.
      exempt: ["Tests/", "Benchmarks/", "Sources/GuestKit/Thread.swift"]),
    PatternRule(
      pattern: { containsType($0, suffixes: ["Manager", "Helper", "Helpers", "Utils", "Util"]) },
      reason: "name the type for what it is"),
    PatternRule(
      pattern: { $0.contains("DispatchSemaphore") },
      reason: "a semaphore blocks the pool that would release it", exempt: ["Tests/"]),
  ]

  static let everywhere: [PatternRule] = [
    PatternRule(
      pattern: {
        $0.contains("TODO(" + "now)") || $0.contains("FIX" + "ME") || $0.contains("XX" + "X:")
      },
      reason: "do it, or say when: TODO(security), TODO(soon), TODO(someday)"),
    PatternRule(
      pattern: { line in
        ["/wo" + "rk/", "/Us" + "ers/", "/tmp/b" + "-"].contains { line.contains($0) }
      }, reason: "a path of one machine"),
    PatternRule(
      pattern: { $0.hasPrefix("<<<<<" + "<<") || $0.hasPrefix(">>>>>" + ">>") },
      reason: "a merge was left half done"),
  ]

  static func check(_ file: Repository.File) -> [Complaint] {
    let rules = everywhere + (file.fileExtension == "swift" ? swift : [])
    // The rules themselves and the files that test them hold the words they look for.
    guard !file.path.hasPrefix("Tests/TidyTests/") else { return [] }
    return file.lines.enumerated().flatMap { index, line -> [Complaint] in
      rules.compactMap { rule in
        guard !rule.exempt.contains(where: { file.path.hasPrefix($0) }), rule.pattern(line) else {
          return nil
        }
        return Complaint(path: file.path, line: index + 1, reason: rule.reason)
      }
    }
  }

  private static func containsType(_ line: Substring, suffixes: [String]) -> Bool {
    let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
    guard
      let kind = words.firstIndex(where: { ["struct", "class", "enum", "actor"].contains($0) }),
      kind + 1 < words.count
    else { return false }
    let name = words[kind + 1]
    return name.first?.isUppercase ?? false && suffixes.contains { name.hasSuffix($0) }
  }
}
