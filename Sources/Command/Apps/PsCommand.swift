// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct PsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps", abstract: "List the apps: state, uptime, restarts, CPU time and memory.",
    discussion: "CPU time and memory are read from the kernel when you ask.")

  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let apps = try host.client.json([AppStatus].self, "GET", AdminPath.apps)
    if output.json { return try Printer.json(apps) }
    guard !apps.isEmpty else {
      return Printer.note("no app is installed; bulkhead install DIR installs one")
    }
    Printer.table(Self.table(apps, style: Terminal.standardOutput.style))
  }

  /// Events of an app's everyday life, which the state tells already.
  private static let ordinary: Set<String> = ["installed", "started", "stopped"]

  static func table(_ apps: [AppStatus], style: Style) -> Table {
    var table = Table([
      ("APP", .left), ("VERSION", .left), ("STATE", .left), ("UPTIME", .right),
      ("RESTARTS", .right), ("CPU", .right), ("MEMORY", .right), ("LIMIT", .right), ("URL", .left),
      ("NOTES", .left),
    ])
    for app in apps {
      let event = app.lastEvent.flatMap { Self.ordinary.contains($0) ? nil : $0 }
      let weaker =
        app.weakerLayers.isEmpty ? nil : "without " + app.weakerLayers.joined(separator: ",")
      let notes = [event, weaker].compactMap { $0 }
      table.add([
        .init(app.id), .init(Printer.harmless(app.version)),
        .init(app.state.rawValue, app.state.decoration(style)),
        .init(app.uptimeSeconds.map(Quantity.seconds) ?? "-"), .init("\(app.restarts)"),
        .init(Quantity.seconds(app.cpuSeconds)), .init(Quantity.bytes(app.memoryBytes)),
        .init(Quantity.bytes(app.memoryLimitBytes)), .init(app.url),
        .init(Printer.harmless(notes.joined(separator: "; ")), style.yellow),
      ])
    }
    return table
  }
}

extension AppStatus.State {
  func decoration(_ style: Style) -> (String) -> String {
    switch self {
    case .running: style.green
    case .failed, .backoff: style.red
    case .starting, .disabled: style.yellow
    case .stopped, .stopping: { $0 }
    }
  }
}
