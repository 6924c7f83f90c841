// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@Suite("The repository is tidy")
struct TidyTests {
  let files = Repository.current.files

  @Test("there is something to look at")
  func present() {
    #expect(files.count > 100)
    #expect(Repository.current.swift.contains { $0.target == "Sandbox" })
  }

  @Test("targets import only what the house allows them")
  func imports() {
    #expect(files.flatMap(ImportRule.check) == [])
  }

  @Test("the sandbox, the guest API and the meter do not know one another")
  func leaves() {
    let leaves: Set = ["Sandbox", "GuestAPI", "Meter"]
    for leaf in leaves {
      #expect(ImportRule.allowed[leaf]?.isDisjoint(with: leaves) == true)
    }
  }

  @Test("only the supervisor touches the network and cryptography libraries")
  func heavyLibraries() {
    for (target, allowed) in ImportRule.allowed where target != "Supervisor" {
      let heavy = allowed.filter {
        $0.hasPrefix("NIO") || ["Hummingbird", "GRDB", "AsyncHTTPClient", "Crypto"].contains($0)
      }
      #expect(heavy.isEmpty, "\(target)")
    }
  }

  @Test("no banned word, no path of one machine")
  func patterns() {
    #expect(files.flatMap(PatternRule.check) == [])
  }

  @Test("every source file begins with its licence")
  func heads() {
    #expect(files.flatMap(HeadRule.check) == [])
  }

  @Test("no function is longer than it may be")
  func lengths() {
    #expect(files.flatMap(LengthRule.check) == [])
  }

  @Test("the list of long functions names none that became short")
  func ratchet() {
    for path in LengthRule.letThrough.keys {
      let functions = files.first { $0.path == path }.map(LengthRule.functions) ?? []
      let isLong = functions.contains { $0.length > LengthRule.linesMax }
      #expect(isLong, "\(path): remove its line")
    }
  }

  @Test("unchecked concurrency says what makes it sound")
  func safety() {
    #expect(
      files.flatMap(SafetyRule.check).filter { !SafetyRule.missing.contains($0.path) } == [])
  }

  @Test("the list of files without that comment names none that has it")
  func safetyRatchet() {
    let without = Set(files.flatMap(SafetyRule.check).map(\.path))
    #expect(SafetyRule.missing.subtracting(without) == [])
  }

  @Test("links in documents lead somewhere")
  func links() {
    let complaints = files.flatMap { file in
      LinkRule.check(file) {
        FileManager.default.fileExists(atPath: Repository.root.appending(path: $0).path)
      }
    }
    #expect(complaints == [])
  }
}
