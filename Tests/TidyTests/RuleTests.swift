// SPDX-License-Identifier: Apache-2.0

import Testing

/// A check that cannot fail is worse than none: each rule is shown what it must find, and what it must not.
@Suite("The rules find what they look for")
struct RuleTests {
  private func file(_ path: String, _ text: String) -> Repository.File {
    Repository.File(path: path, text: text)
  }

  @Test(
    "imports in every form",
    arguments: [
      "import Meter", "@preconcurrency import Meter", "package import Meter",
      "import struct Meter.MeterLine", "#if canImport(x)\n  import Meter\n#endif",
      "// a comment\n\nimport GuestAPI\nimport Meter",
    ])
  func imports(text: String) {
    #expect(
      ImportRule.check(file("Sources/Manifest/x.swift", text)).map(\.reason) == [
        "Manifest may not import Meter"
      ])
  }

  @Test("a text that looks like an import, further down, is none")
  func templates() {
    let text = "import GuestAPI\nlet template = \"\"\"\n  import Meter\n  \"\"\"\n"
    #expect(ImportRule.check(file("Sources/Manifest/x.swift", text)).isEmpty)
  }

  @Test("a new target needs a line in the list")
  func newTarget() {
    #expect(ImportRule.check(file("Sources/New/x.swift", "let a = 1")).count == 1)
  }

  @Test(
    "banned words",
    arguments: [
      "import XCTest", "@testable import Meter", "let a = try! b()", "static let shared = A()",
      "final class GuestManager {", "enum StringUtils {", "fatalError(\"no\")",
      "let lock = DispatchSemaphore(value: 1)", "// TODO(" + "now): later",
      "let p = \"/wo" + "rk/x\"",
    ])
  func words(text: String) {
    #expect(PatternRule.check(file("Sources/Meter/x.swift", text)).count == 1)
  }

  @Test("words that only look banned")
  func innocent() {
    for text in [
      "// TODO(soon): stream it", "let manager = 1", "struct Helped {", "precondition(a, \"b\")",
    ] {
      #expect(PatternRule.check(file("Sources/Meter/x.swift", text)).isEmpty, "\(text)")
    }
  }

  @Test("a file without its licence, and a script with it on its second line")
  func heads() {
    #expect(HeadRule.check(file("Sources/Meter/x.swift", "import A\n")).count == 1)
    #expect(HeadRule.check(file("scripts/x", "#!/bin/sh\necho\n")).count == 1)
    let script = "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"
    #expect(HeadRule.check(file("scripts/x", script)).isEmpty)
  }

  @Test("a function of 51 lines, wherever it stands")
  func lengths() {
    func text(_ lines: Int, _ head: String) -> String {
      "struct A {\n  \(head) {\n" + String(repeating: "    a()\n", count: lines - 2) + "  }\n}\n"
    }
    for head in ["func f()", "package static func f() throws -> Int", "init?(a: Int)", "init()"] {
      #expect(LengthRule.check(file("Sources/Meter/x.swift", text(51, head))).count == 1, "\(head)")
      #expect(LengthRule.check(file("Sources/Meter/x.swift", text(50, head))).isEmpty, "\(head)")
    }
    let requirements = "protocol P {\n" + String(repeating: "  func f()\n", count: 60) + "}\n"
    #expect(LengthRule.check(file("Sources/Meter/x.swift", requirements)).isEmpty)
  }

  @Test("unchecked concurrency without a reason, and with one")
  func safety() {
    let bad = "final class A: @unchecked Sendable {}"
    #expect(SafetyRule.check(file("Sources/Meter/x.swift", bad)).count == 1)
    #expect(SafetyRule.check(file("Sources/Meter/x.swift", "// SAFETY: one queue\n\(bad)")).isEmpty)
  }

  @Test("a link to nothing")
  func links() {
    let text = "[a](b.md#c) and [d](https://example.org) and [e](#f)"
    #expect(
      LinkRule.check(file("docs/x.md", text)) { _ in false }.map(\.reason) == ["b.md is not there"])
    #expect(LinkRule.check(file("docs/x.md", text)) { $0 == "docs/b.md" }.isEmpty)
  }
}
