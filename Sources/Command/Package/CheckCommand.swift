// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Manifest

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a package's manifest and files, without a host.")

  @Argument(help: ArgumentHelp("The directory with bulkhead.toml.", valueName: "dir"))
  var directory: String = "."
  @Flag(name: .long, help: "Print the canonical manifest: every default filled in.")
  var json = false

  func run() throws {
    let package = try PackageDirectory(directory)
    let missing = package.missing
    guard missing.isEmpty else {
      throw CommandFailure(
        .data, "the package is incomplete", next: "add what is missing, or correct bulkhead.toml",
        details: missing.map(\.description))
    }
    if json {
      Terminal.standardOutput.write(package.manifest.canonicalJSON + [0x0a])
    } else {
      let app = package.manifest.app
      Printer.text("\(app.id) \(app.version) (build \(app.build)): good")
      for grant in package.manifest.grants { Printer.text("  asks to \(grant.sentence)") }
    }
  }
}
