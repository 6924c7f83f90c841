// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "What apps used, and what it cost.",
    discussion: "CSV has the columns of FOCUS 1.2; HTML is one file that needs nothing else.")

  @Argument(help: ArgumentHelp("usage or cost.", valueName: "kind"))
  var kind: ReportQuery.Kind
  @Option(name: .long, help: ArgumentHelp("Of one app.", valueName: "id")) var app: String?
  @Option(name: .long, help: "app, day, hour, meter or destination.")
  var by: ReportQuery.Grouping = .app
  @Option(
    name: .long, help: "From here on: RFC 3339, a day, or a span such as 7d; otherwise this month.")
  var since: Moment?
  @Option(name: .long, help: "Up to here, exclusive; otherwise now.")
  var until: Moment?
  @Option(name: .long, help: "table, json, csv or html.")
  var format: ReportQuery.Format?
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if output.json, let format, format != .json {
      throw ValidationError("--json and --format \(format.rawValue) exclude each other")
    }
  }

  func run() throws {
    let format = format ?? (output.json ? .json : .table)
    let target = AdminPath.query(
      "\(AdminPath.reports)/\(kind.rawValue)",
      [
        ("app", app), ("by", by.rawValue), ("since", since.map { Timestamp.text($0.date()) }),
        ("until", until.map { Timestamp.text($0.date()) }), ("format", format.rawValue),
      ])
    Terminal.standardOutput.write(try host.client.send("GET", target).body)
  }
}

extension ReportQuery.Kind: ExpressibleByArgument {}
extension ReportQuery.Grouping: ExpressibleByArgument {}
extension ReportQuery.Format: ExpressibleByArgument {}
