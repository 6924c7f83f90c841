// SPDX-License-Identifier: Apache-2.0

import Command
import Foundation
import Manifest
import Testing

@Suite("New packages")
struct ScaffoldTests {
  @Test("what `new` writes passes its own check", arguments: [NewCommand.Language.python, .node])
  func complete(language: NewCommand.Language) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: directory) }
    for file in try Template(label: "my-notes", language: language).files() {
      let path = directory.appending(path: file.path)
      try FileManager.default.createDirectory(
        at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(file.text.utf8).write(to: path)
    }
    let package = try PackageDirectory(directory.path)
    #expect(package.missing.isEmpty)
    #expect(package.manifest.app.origin == "my-notes")
    try FileManager.default.removeItem(at: directory.appending(path: "www"))
    #expect(package.missing.map(\.path) == ["http.assets"])
  }

  @Test("a directory without a manifest is refused with what to do")
  func nothing() {
    #expect { try PackageDirectory("/proc/self/nothing") } throws: { error in
      (error as? CommandFailure)?.status == .data && (error as? CommandFailure)?.next != nil
    }
  }
}
