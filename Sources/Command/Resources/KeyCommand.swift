// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser

struct KeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key", abstract: "Look at an app's signing keys.", subcommands: [List.self])

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List an app's signing keys: the public halves.")
    @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app")) var app: String
    @OptionGroup var host: HostOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let keys = try host.client.json([KeyInfo].self, "GET", AdminPath.app(app, "keys"))
      if output.json { return try Printer.json(keys) }
      var table = Table([
        ("KEY", .left), ("ALGORITHM", .left), ("VERSION", .right), ("PUBLIC KEY", .left),
      ])
      for key in keys {
        table.add([
          .init(key.name), .init(key.algorithm), .init("\(key.version)"),
          .init(key.publicKeyBase64),
        ])
      }
      Printer.table(table)
    }
  }
}
