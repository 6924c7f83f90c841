// SPDX-License-Identifier: Apache-2.0

/// Where the compiler's check of data races is switched off, a comment names the lock or queue that stands in for it.
enum SafetyRule {
  /// Files that still lack the comment. The list may only get shorter.
  static let missing: Set<String> = [
    "Sources/SQLWorker/Channel.swift",
    "Sources/SQLWorker/Database.swift",
    "Sources/SQLWorker/Lane.swift",
    "Sources/SQLWorker/OpenTransaction.swift",
    "Sources/SQLWorker/OutgoingStream.swift",
    "Sources/SQLWorker/ServingThread.swift",
    "Sources/SQLWorker/Worker+Transactions.swift",
    "Sources/SQLWorker/Worker.swift",
  ]

  static func check(_ file: Repository.File) -> [Complaint] {
    guard file.fileExtension == "swift", !file.path.hasPrefix("Tests/TidyTests/") else { return [] }
    let lines = file.lines
    return file.lines(with: ["@unchecked Sendable", "nonisolated(unsafe)"]).compactMap { found in
      let code = found.text.trimmingPrefix { $0 == " " }
      guard !code.hasPrefix("//"), !code.hasPrefix("\"") else { return nil }
      let around = lines[max(0, found.number - 9)..<min(lines.count, found.number + 1)]
      guard !around.contains(where: { $0.contains("SAFETY:") }) else { return nil }
      return Complaint(
        path: file.path, line: found.number, reason: "say with // SAFETY: what makes this sound")
    }
  }
}
