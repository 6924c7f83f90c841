// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import GuestAPI

struct PricesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prices", abstract: "Show the price book, or put a new one in force.",
    discussion: """
      A price book is a TOML file with a currency and versions; docs/METER.md describes it. Versions that have begun \
      stay as they are, so a change never alters what was charged.
      """)

  @Argument(help: ArgumentHelp("A price book to put in force.", valueName: "file"))
  var file: String?
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let book: JSONValue
    if let file {
      let text = String(decoding: try FilePath.read(file, bytesMax: 262_144), as: UTF8.self)
      book = try host.client.json(
        JSONValue.self, "PUT", AdminPath.prices, body: try ManifestTOML.json(text))
    } else {
      book = try host.client.json(JSONValue.self, "GET", AdminPath.prices)
    }
    if output.json { return try Printer.json(book) }
    let versions = book["version"]?.array ?? []
    guard !versions.isEmpty else {
      return Printer.note("no prices: everything is measured, nothing is charged")
    }
    var table = Table([
      ("VERSION", .left), ("FROM", .left), ("SKU", .left), ("UNIT", .left), ("FREE", .right),
      ("PRICE", .right),
    ])
    for version in versions {
      for price in version["price"]?.array ?? [] {
        let currency = version["currency"]?.string ?? ""
        table.add([
          .init(version["number"]?.text ?? ""), .init(version["from"]?.string ?? ""),
          .init(price["sku"]?.string ?? ""), .init(price["unit"]?.string ?? ""),
          .init(price["free"]?.string ?? "-"),
          .init("\(price["price"]?.string ?? "") \(currency)"),
        ])
      }
    }
    Printer.table(table)
  }
}
