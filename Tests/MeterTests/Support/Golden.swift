// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Compares a text with a file below `Golden`; `UPDATE_GOLDEN=1` writes the file instead.
func expectGolden(
  _ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Golden/\(name)")
  if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
    try Data(text.utf8).write(to: file)
    return
  }
  let wanted = String(decoding: try Data(contentsOf: file), as: UTF8.self)
  guard text != wanted else { return }
  let found = text.split(separator: "\n", omittingEmptySubsequences: false)
  let lines = wanted.split(separator: "\n", omittingEmptySubsequences: false)
  let index = zip(found, lines).enumerated().first { $1.0 != $1.1 }?.offset
  let at = index ?? min(found.count, lines.count)
  let seen = at < found.count ? found[at] : "(end)"
  let expected = at < lines.count ? lines[at] : "(end)"
  Issue.record(
    "\(name) differs in line \(at + 1):\n  found    \(seen)\n  expected \(expected)",
    sourceLocation: sourceLocation)
}
