// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import Manifest

struct LimitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limit", abstract: "Show or change what holds an app back.",
    discussion: """
      Sizes may only be lower than the manifest's. A budget is so much of a meter in a period, such as \
      --meter network.out --per day --max 1073741824 --action stop. Meters are cpu (microseconds), memory \
      (KiB-seconds), storage (MiB-seconds), network.in, network.out (bytes), money.EUR and the like (millionths), \
      and every counter by its name, such as requests.
      """)

  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app"))
  var app: String
  @Option(name: .long, help: "Cores, such as 0.5.") var cpu: Double?
  @Option(name: .long, help: "Memory, such as 256MiB.") var memory: ByteSize?
  @Option(name: .long, help: "Processes and threads.") var processes: Int?
  @Option(name: .long, help: "Storage, such as 1GiB.") var storage: ByteSize?
  @Flag(name: .long, help: "Back to the manifest's sizes.") var reset = false
  @Option(name: .long, help: "The budget's meter.") var meter: String?
  @Option(name: .long, help: "The budget's period: hour, day or month.") var per: Budget.Period?
  @Option(name: .long, help: "The budget's size.") var max: Int64?
  @Option(name: .long, help: "At its end: warn, throttle or stop.") var action: Budget.Action?
  @Option(name: .long, help: ArgumentHelp("Remove a budget.", valueName: "meter/period"))
  var remove: String?
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    let budget: [Any?] = [meter, per, max, action]
    let given = budget.compactMap { $0 }.count
    guard given == 0 || given == budget.count else {
      throw ValidationError("a budget takes all of --meter, --per, --max and --action")
    }
    if let cpu, !(cpu > 0 && cpu <= 1024) {
      throw ValidationError("--cpu is \(cpu); allowed are cores up to 1024")
    }
    if let max, max < 0 { throw ValidationError("--max is below zero") }
  }

  private var change: LimitChange? {
    var change = LimitChange(
      cpuCores: cpu, memoryBytes: memory?.bytes, processes: processes, storageBytes: storage?.bytes,
      reset: reset, removeBudget: remove)
    if let meter, let per, let max, let action {
      change.budget = Budget(meter: meter, period: per, max: max, action: action)
    }
    return change == LimitChange() ? nil : change
  }

  func run() throws {
    let target = AdminPath.app(app, "limits")
    let report =
      if let change {
        try host.client.json(LimitReport.self, "PATCH", target, body: change)
      } else {
        try host.client.json(LimitReport.self, "GET", target)
      }
    if output.json { return try Printer.json(report) }
    var sizes = Table([("SIZE", .left), ("IN FORCE", .right), ("MANIFEST", .right)])
    let (now, asked) = (report.effective, report.asked)
    sizes.add([
      "cores", .init(Quantity.cores(now.cpuCores)), .init(Quantity.cores(asked.cpuCores)),
    ])
    sizes.add([
      "memory", .init(Quantity.bytes(now.memoryBytes)), .init(Quantity.bytes(asked.memoryBytes)),
    ])
    sizes.add(["processes", .init("\(now.processes)"), .init("\(asked.processes)")])
    sizes.add([
      "storage", .init(Quantity.bytes(now.storageBytes)), .init(Quantity.bytes(asked.storageBytes)),
    ])
    Printer.table(sizes)
    guard !report.budgets.isEmpty else { return }
    var budgets = Table([
      ("BUDGET", .left), ("PER", .left), ("USED", .right), ("MAX", .right), ("THEN", .left),
    ])
    for budget in report.budgets {
      budgets.add([
        .init(budget.meter), .init(budget.period.rawValue),
        .init(budget.used.map { "\($0)" } ?? "-"),
        .init("\(budget.max)"), .init(budget.action.rawValue),
      ])
    }
    Printer.text("")
    Printer.table(budgets)
  }
}

extension Budget.Period: ExpressibleByArgument {}
extension Budget.Action: ExpressibleByArgument {}
