// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Manifest

package struct NewCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Make a package to start from.",
    discussion: "The directory NAME must not be there yet.")

  package enum Language: String, ExpressibleByArgument, CaseIterable, Sendable {
    case python, node, swift
  }

  package init() {}

  @Argument(
    help: ArgumentHelp("The directory to make; its last part names the app.", valueName: "name"))
  var name: String
  @Option(name: .long, help: "python, node or swift.")
  var lang: Language = .python

  package func run() throws {
    let label = String(name.split(separator: "/").last ?? "")
    guard AppIdentifier.isLabel(label), label.first?.isLetter ?? false else {
      throw CommandFailure(
        .usage, "\"\(Printer.harmless(label))\" cannot name an app",
        why: "the name becomes part of the app's id and web address",
        next: "use lower-case letters, digits and inner hyphens, such as my-notes")
    }
    guard !FilePath.exists(name) else {
      throw CommandFailure(
        .data, "\(name) is there already", next: "choose another name, or remove it")
    }
    do {
      for file in try Template(label: label, language: lang).files() {
        let path = "\(name)/\(file.path)"
        if let slash = path.lastIndex(of: "/") {
          try FilePath.createDirectory(String(path[..<slash]))
        }
        try FilePath.create(path, Array(file.text.utf8))
      }
    } catch let error as FileFailure {
      throw CommandFailure(.failure, "cannot write \(error.path)", why: error.reason)
    }
    Printer.text("made \(name)")
    for step in Template.nextSteps(name, lang) { Printer.note("  \(step)") }
  }
}
