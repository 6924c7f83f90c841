// SPDX-License-Identifier: Apache-2.0

/// Who may import whom: the invariants of the house, in `docs/ARCHITECTURE.md`.
enum ImportRule {
  /// What a target may import. What is not listed here it may not.
  static let allowed: [String: Set<String>] = [
    "GuestAPI": [],
    "Locks": ["Glibc"],
    "Manifest": ["GuestAPI"],
    "SQLite": ["CSQLite", "CHostShims", "Glibc"],
    "Sandbox": ["CSeccomp", "CHostShims", "Glibc", "Synchronization"],
    "Meter": ["SQLite", "CTigerBeetle", "Glibc", "Musl", "Synchronization"],
    "GuestKit": ["GuestAPI", "Locks", "Glibc", "Synchronization"],
    "SQLEngine": ["GuestAPI", "SQLite", "CSQLite", "Glibc"],
    "SQLWorker": [
      "SQLEngine", "GuestAPI", "SQLite", "CSQLite", "Locks", "Glibc", "Synchronization",
    ],
    "AdminAPI": ["GuestAPI", "Foundation", "FoundationEssentials", "Glibc"],
    "Supervisor": [
      "AdminAPI", "AsyncHTTPClient", "CHostShims", "Crypto", "Dispatch", "Foundation",
      "FoundationEssentials", "Glibc", "GuestAPI", "HTTPTypes", "Hummingbird", "Locks", "Logging",
      "Manifest", "Meter", "NIOConcurrencyHelpers", "NIOCore", "NIOFoundationCompat", "NIOHTTP1",
      "NIOPosix", "Sandbox", "SQLite", "Synchronization",
    ],
    "Command": [
      "AdminAPI", "ArgumentParser", "Foundation", "FoundationEssentials", "Glibc", "GuestAPI",
      "Logging", "Manifest", "Supervisor", "TOMLKit",
    ],
    "bulkhead": ["Command"],
  ]

  static func check(_ file: Repository.File) -> [Complaint] {
    guard let target = file.target, file.fileExtension == "swift" else { return [] }
    guard let allowed = allowed[target] else {
      return [
        Complaint(
          path: file.path, line: 1,
          reason: "the target \(target) has no line in ImportRule.allowed; give it one")
      ]
    }
    return imports(file).filter { !allowed.contains($0.module) }.map {
      Complaint(path: file.path, line: $0.line, reason: "\(target) may not import \($0.module)")
    }
  }

  /// The imports at the head of a file; a text inside it, such as a template, is no import.
  static func imports(_ file: Repository.File) -> [(line: Int, module: String)] {
    var found: [(line: Int, module: String)] = []
    for (index, line) in file.lines.enumerated() {
      var words = line.split(separator: " ").map(String.init)
      guard let first = words.first else { continue }
      if first.hasPrefix("//") || first.hasPrefix("#") { continue }
      while let word = words.first, word.hasPrefix("@") || accessLevels.contains(word) {
        words.removeFirst()
      }
      guard words.first == "import", words.count >= 2 else { break }
      // `import struct Module.Name`
      let module = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
      found.append((index + 1, String(module.prefix { $0 != "." })))
    }
    return found
  }

  private static let accessLevels = ["public", "package", "internal", "fileprivate", "private"]
  private static let kinds = [
    "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
  ]
}
