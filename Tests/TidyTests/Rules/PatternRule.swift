// SPDX-License-Identifier: Apache-2.0

/// Words that have no place here, each with a reason.
struct PatternRule {
  /// Any of these in a line.
  var words: [String]
  var reason: String
  /// Paths it does not look at, by prefix.
  var exempt: [String] = []
  /// A closer look at a line that holds one of the words.
  var isMeant: @Sendable (Substring) -> Bool = { _ in true }

  static let swift: [PatternRule] = [
    PatternRule(words: ["import XCTest"], reason: "tests are written with Swift Testing"),
    PatternRule(
      words: ["@testable import"],
      reason: "release tests cannot see internals; use the package access level"),
    PatternRule(words: ["try!"], reason: "an error ends the host; throw or handle it"),
    PatternRule(
      words: ["static let shared"],
      reason: "no global state: it comes through an initialiser", exempt: ["Tests/"]),
    PatternRule(
      words: ["fatalError("],
      reason: "only our own bugs end the process, by precondition and with words",
      // A guest that cannot have its one thread has nothing to go on with.
      exempt: ["Tests/", "Benchmarks/", "Sources/GuestKit/Thread.swift"]),
    PatternRule(
      words: vagueSuffixes, reason: "name the type for what it is", isMeant: namesVagueType),
    PatternRule(
      words: ["DispatchSemaphore"],
      reason: "a semaphore blocks the pool that would release it", exempt: ["Tests/"]),
  ]

  static let everywhere: [PatternRule] = [
    PatternRule(
      words: ["TODO(now)", "FIXME", "XXX:"],
      reason: "do it, or say when: TODO(security), TODO(soon), TODO(someday)"),
    PatternRule(words: ["/work/", "/Users/", "/tmp/b-"], reason: "a path of one machine"),
    PatternRule(words: ["<<<<<<<", ">>>>>>>"], reason: "a merge was left half done") {
      $0.hasPrefix("<<<<<<<") || $0.hasPrefix(">>>>>>>")
    },
  ]

  static func check(_ file: Repository.File) -> [Complaint] {
    // The rules themselves and the files that test them hold the words they look for.
    guard !file.path.hasPrefix("Tests/TidyTests/") else { return [] }
    let rules = everywhere + (file.fileExtension == "swift" ? swift : [])
    return rules.filter { rule in !rule.exempt.contains { file.path.hasPrefix($0) } }
      .flatMap { rule in
        file.lines(with: rule.words).filter { rule.isMeant($0.text) }.map {
          Complaint(path: file.path, line: $0.number, reason: rule.reason)
        }
      }
  }

  private static let vagueSuffixes = ["Manager", "Helper", "Helpers", "Utils", "Util"]

  private static func namesVagueType(_ line: Substring) -> Bool {
    let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
    guard
      let kind = words.firstIndex(where: { ["struct", "class", "enum", "actor"].contains($0) }),
      kind + 1 < words.count
    else { return false }
    let name = words[kind + 1]
    return name.first?.isUppercase ?? false && vagueSuffixes.contains { name.hasSuffix($0) }
  }
}
