// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Glibc

struct StatsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats", abstract: "Show what apps use now.",
    discussion: """
      On a terminal the table is renewed until Ctrl-C, otherwise it is printed once. CPU is of one core, over the \
      interval. --json prints the counters: an array, or with --follow one object a line.
      """)

  @Argument(help: ArgumentHelp("Id or origin name; all apps without one.", valueName: "app"))
  var app: String?
  @Flag(name: .long, help: "Print once.") var noStream = false
  @Flag(name: [.customShort("f"), .long], help: "Go on until Ctrl-C, also where nobody looks.")
  var follow = false
  @Option(name: .long, help: "Seconds between two readings.") var interval = 1
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (1...3600).contains(interval) else {
      throw ValidationError("--interval is \(interval); allowed are 1 to 3600 seconds")
    }
    if follow, noStream { throw ValidationError("--follow and --no-stream exclude each other") }
  }

  func run() throws {
    let client = host.client
    let target = AdminPath.query(AdminPath.stats, [("app", app)])
    let goesOn = follow || (!noStream && !output.json && Terminal.standardOutput.isTerminal)
    var before = try client.json([AppStats].self, "GET", target)
    if output.json {
      guard follow else { return try Printer.json(before) }
      while true {
        for stats in before { try Printer.json(stats) }
        sleep(UInt32(interval))
        before = try client.json([AppStats].self, "GET", target)
      }
    }
    repeat {
      sleep(UInt32(interval))
      let now = try client.json([AppStats].self, "GET", target)
      // Home, then clear to the end: the table stays in place without a flicker.
      if goesOn, Terminal.standardOutput.isTerminal { Printer.text("\u{1b}[H\u{1b}[2J") }
      Printer.table(Self.table(before, now))
      before = now
    } while goesOn
  }

  static func table(_ before: [AppStats], _ now: [AppStats]) -> Table {
    var table = Table([
      ("APP", .left), ("CPU", .right), ("MEMORY", .right), ("LIMIT", .right), ("PROCESSES", .right),
      ("STORAGE", .right), ("IN", .right), ("OUT", .right), ("REQUESTS", .right),
      ("RESTARTS", .right), ("OOM", .right),
    ])
    for stats in now {
      let earlier = before.first { $0.app == stats.app }
      table.add([
        .init(stats.app), .init(earlier.flatMap { cpu($0, stats) } ?? "-"),
        .init(Quantity.bytes(stats.memoryBytes)), .init(Quantity.bytes(stats.memoryLimitBytes)),
        .init("\(stats.processes)"), .init(Quantity.bytes(stats.storageBytes)),
        .init(Quantity.bytes(stats.networkReceivedBytes)),
        .init(Quantity.bytes(stats.networkSentBytes)), .init("\(stats.requests)"),
        .init("\(stats.restarts)"), .init("\(stats.oomKills)"),
      ])
    }
    return table
  }

  /// Nil where the counter began anew or no time passed.
  private static func cpu(_ earlier: AppStats, _ now: AppStats) -> String? {
    let seconds = now.time.timeIntervalSince(earlier.time)
    let used = now.cpuSeconds - earlier.cpuSeconds
    return seconds > 0 && used >= 0 ? Quantity.percent(used / seconds) : nil
  }
}
