// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show one app, or all, in full.")

  @Argument(help: ArgumentHelp("Id or origin name; all apps without one.", valueName: "app"))
  var app: String?
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let client = host.client
    let apps =
      if let app {
        [try client.json(AppStatus.self, "GET", AdminPath.app(app))]
      } else {
        try client.json([AppStatus].self, "GET", AdminPath.apps)
      }
    if output.json { return try Printer.json(apps) }
    let style = Terminal.standardOutput.style
    Printer.text(apps.map { Self.text($0, style: style) }.joined(separator: "\n"))
  }

  static func text(_ app: AppStatus, style: Style) -> String {
    var lines = [
      "\(style.bold(app.id))  \(Printer.harmless(app.name)) \(Printer.harmless(app.version)) "
        + "(build \(app.build))",
      "  state     "
        + app.state.decoration(style)(app.state.rawValue)
        + (app.reason.map { ": \(Printer.harmless($0))" } ?? ""),
      "  url       \(app.url)",
    ]
    if let pid = app.pid {
      lines.append(
        "  process   \(pid), up \(app.uptimeSeconds.map(Quantity.seconds) ?? "-")")
    }
    lines += [
      "  restarts  \(app.restarts)", "  cpu       \(Quantity.seconds(app.cpuSeconds))",
      "  memory    \(Quantity.bytes(app.memoryBytes)) of \(Quantity.bytes(app.memoryLimitBytes))",
    ]
    if let event = app.lastEvent {
      let time = app.lastEventTime.map { " at \(Timestamp.text($0))" } ?? ""
      lines.append("  event     \(Printer.harmless(event))\(time)")
    }
    if !app.weakerLayers.isEmpty {
      lines.append(
        "  sandbox   " + style.yellow("runs without \(app.weakerLayers.joined(separator: ", "))"))
    }
    return lines.map { $0 + "\n" }.joined()
  }
}
