// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

/// `start`, `stop` and `restart` differ in one word.
private func change(_ app: String, _ verb: String, _ host: HostOptions, _ output: OutputOptions)
  throws
{
  let status = try host.client.json(AppStatus.self, "POST", AdminPath.app(app, verb))
  if output.json {
    try Printer.json(status)
  } else {
    Printer.text("\(status.id) is \(status.state.rawValue)")
  }
}

struct StartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Start an app now, and let requests start it again.")
  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions
  func run() throws { try change(app, "start", host, output) }
}

struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop", abstract: "Stop an app; requests do not start it again until `start`.")
  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions
  func run() throws { try change(app, "stop", host, output) }
}

struct RestartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart", abstract: "Stop an app's process and start a new one.")
  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions
  func run() throws { try change(app, "restart", host, output) }
}
