// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Glibc

struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top", abstract: "Show one app at work: its processes, its rates, its limits.",
    discussion: """
      On a terminal the view is renewed until Ctrl-C, otherwise it is printed once. CPU is of one core, over the \
      interval. --json prints the counters the rates are made of: one object, or with --follow one a line.
      """)

  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app"))
  var app: String
  @Flag(name: .long, help: "Print once.") var once = false
  @Flag(name: [.customShort("f"), .long], help: "Go on until Ctrl-C, also where nobody looks.")
  var follow = false
  @Option(name: .long, help: "Seconds between two readings.") var interval = 1
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (1...3600).contains(interval) else {
      throw ValidationError("--interval is \(interval); allowed are 1 to 3600 seconds")
    }
    if follow, once { throw ValidationError("--follow and --once exclude each other") }
  }

  func run() throws {
    let client = host.client
    let target = AdminPath.app(app, "top")
    let goesOn = follow || (!once && !output.json && Terminal.standardOutput.isTerminal)
    var before = try client.json(AppTop.self, "GET", target)
    if output.json {
      try Printer.json(before)
      while follow {
        sleep(UInt32(interval))
        try Printer.json(try client.json(AppTop.self, "GET", target))
      }
      return
    }
    repeat {
      sleep(UInt32(interval))
      let now = try client.json(AppTop.self, "GET", target)
      // Home, then clear to the end: the view stays in place without a flicker.
      if goesOn, Terminal.standardOutput.isTerminal { Printer.text("\u{1b}[H\u{1b}[2J") }
      Printer.text(TopView(before: before, now: now).text(style: Terminal.standardOutput.style))
      before = now
    } while goesOn
  }
}
