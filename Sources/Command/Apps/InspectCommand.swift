// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import GuestAPI

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show everything about an app: manifest, grants, limits, directories, sandbox.")

  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app"))
  var app: String
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let inspection = try host.client.json(
      AppInspection.self, "GET", AdminPath.app(app, "inspection"))
    if output.json { return try Printer.json(inspection) }
    Printer.text(Self.text(inspection, style: Terminal.standardOutput.style))
  }

  static func text(_ app: AppInspection, style: Style) -> String {
    var text = StatusCommand.text(app.status, style: style)
    text += "\nMay\n"
    text += app.grants.isEmpty ? "  answer requests\n" : ""
    text += app.grants.map { "  \(Printer.harmless($0.sentence))\n" }.joined()
    text += "\nAt most\n  \(Consent.text(app.limits))\n"
    text +=
      "\nDirectories\n  app       \(app.directories.root)\n  code      \(app.directories.code)\n"
    text += app.directories.data.map { "  data      \($0)\n" } ?? ""
    text += "\nSandbox\n"
    text += DoctorCommand.table(app.layers, style: style).text(style: style)
    return text
  }
}
