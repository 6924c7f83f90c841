// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct UninstallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "uninstall", abstract: "Remove an app, with its data unless --keep-data.")

  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app"))
  var app: String
  @Flag(name: .long, help: "Leave databases, files, secrets and keys on the host.")
  var keepData = false
  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let client = host.client
    let status = try client.json(AppStatus.self, "GET", AdminPath.app(app))
    if !yes {
      try Consent.ask(
        keepData
          ? "Remove \(status.id) and keep its data?" : "Remove \(status.id) and delete its data?",
        refused: "\(status.id) was not removed",
        next: "run the same with --yes; --keep-data leaves its data on the host")
    }
    let target = AdminPath.query(
      AdminPath.app(status.id), [("keepData", keepData ? "true" : nil)])
    let report = try client.json(UninstallReport.self, "DELETE", target)
    if output.json {
      try Printer.json(report)
    } else if let kept = report.keptData {
      Printer.text("removed \(report.id); its data stays in \(kept)")
    } else {
      Printer.text("removed \(report.id) and freed \(Quantity.bytes(report.freedBytes))")
    }
  }
}
