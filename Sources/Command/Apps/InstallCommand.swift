// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct InstallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install", abstract: "Install or upgrade an app from its directory.",
    discussion: "Shows what the app asks for and may use, and asks, unless --yes.")

  @Argument(help: ArgumentHelp("The directory with bulkhead.toml.", valueName: "dir"))
  var directory: String
  @Flag(name: [.short, .long], help: "Agree to everything the app asks for.")
  var yes = false
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let package = try PackageDirectory(directory)
    let client = host.client
    let review = try client.json(
      InstallReview.self, "POST", AdminPath.reviews, body: package.source)
    if !yes { try Consent.ask(about: review) }
    let request = InstallRequest(
      source: package.source, approvedGrants: review.grants.map(\.key))
    let report = try client.json(InstallReport.self, "POST", AdminPath.apps, body: request)
    for warning in report.warnings { Printer.note("warning: \(Printer.harmless(warning))") }
    if output.json {
      try Printer.json(report)
    } else {
      let verb =
        switch report.replacedBuild {
        case nil: "installed"
        case report.build?: "installed again"
        case .some: "upgraded to"
        }
      Printer.text("\(verb) \(report.id) \(report.version) (build \(report.build))\n\(report.url)")
    }
  }
}
