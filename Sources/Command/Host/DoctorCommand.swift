// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say what this machine offers for confining and measuring apps, and what it lacks.",
    discussion: "Exits with 78 if a layer is missing without which no app starts.")

  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let layers = try host.client.json([LayerReport].self, "GET", AdminPath.doctor)
    let style = Terminal.standardOutput.style
    if output.json {
      try Printer.json(layers)
    } else {
      Printer.table(Self.table(layers, style: style))
      for layer in layers {
        if let remedy = layer.remedy { Printer.text("\(layer.layer): \(remedy)") }
      }
    }
    let missing = layers.filter { $0.state == .missing }
    guard missing.isEmpty else {
      throw CommandFailure(
        .configuration, "apps do not start on this machine",
        why: "missing: \(missing.map(\.layer).joined(separator: ", "))",
        next: "follow the remedies above, or start the host with --allow-weaker to go without")
    }
  }

  static func table(_ layers: [LayerReport], style: Style) -> Table {
    var table = Table([("LAYER", .left), ("STATE", .left), ("DETAIL", .left)])
    for layer in layers {
      let (word, decoration): (String, (String) -> String) =
        switch layer.state {
        case .active: ("active", style.green)
        case .missing: ("missing", style.red)
        case .allowedWeaker: ("weaker, allowed", style.yellow)
        case .degraded: ("degraded", style.yellow)
        }
      table.add([.init(layer.layer), .init(word, decoration), .init(layer.detail)])
    }
    return table
  }
}
