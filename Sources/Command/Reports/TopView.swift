// SPDX-License-Identifier: Apache-2.0

import AdminAPI

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Two readings of an app as text. Pure.
package struct TopView {
  let before: AppTop
  let now: AppTop
  private let seconds: Double

  package init(before: AppTop, now: AppTop) {
    self.before = before
    self.now = now
    seconds = now.stats.time.timeIntervalSince(before.stats.time)
  }

  package func text(style: Style) -> String {
    [head(style), use(style), budgets(style), processes(style)].filter { !$0.isEmpty }
      .joined(separator: "\n")
  }

  private func head(_ style: Style) -> String {
    let uptime = now.uptimeSeconds.map { ", up \(Quantity.seconds($0))" } ?? ""
    let stats = now.stats
    return "\(style.bold(stats.app))  \(now.state.decoration(style)(now.state.rawValue))\(uptime)"
      + ", \(stats.restarts) restarts, \(stats.oomKills) killed for memory"
      + (stats.blockedCalls > 0 ? ", \(stats.blockedCalls) blocked calls" : "") + "\n"
  }

  // MARK: Rates and limits

  private func use(_ style: Style) -> String {
    let (old, new) = (before.stats, now.stats)
    var table = Table([("", .left), ("NOW", .right), ("LIMIT", .right), ("USED", .right)])
    let cores = rate(old.cpuSeconds, new.cpuSeconds)
    let coresMax = now.limits.cpuCores
    table.add([
      "cpu", .init(cores.map(Quantity.percent) ?? "-"),
      .init("\(Quantity.cores(coresMax)) \(coresMax == 1 ? "core" : "cores")"),
      share(cores, coresMax, style),
    ])
    let sizes: [(String, UInt64, Double)] = [
      ("memory", new.memoryBytes, Double(now.limits.memoryBytes)),
      ("storage", new.storageBytes, Double(now.limits.storageBytes)),
    ]
    for (name, used, limit) in sizes {
      table.add([
        .init(name), .init(Quantity.bytes(used)), .init(Quantity.bytes(Int64(limit))),
        share(Double(used), limit, style),
      ])
    }
    table.add([
      "processes", .init("\(new.processes)"), .init("\(now.limits.processes)"),
      share(Double(new.processes), Double(now.limits.processes), style),
    ])
    let flows: [(String, UInt64, UInt64)] = [
      ("network in", old.networkReceivedBytes, new.networkReceivedBytes),
      ("network out", old.networkSentBytes, new.networkSentBytes),
    ]
    for (name, earlier, later) in flows {
      let bytes = rate(Double(earlier), Double(later))
      let text = bytes.map { Quantity.bytes(Int64($0)) + "/s" } ?? "-"
      table.add([.init(name), .init(text), "", ""])
    }
    table.add(["requests", .init(perSecond(old.requests, new.requests)), "", ""])
    table.add(["calls", .init(perSecond(old.calls, new.calls)), "", ""])
    return table.text(style: style) + latency
  }

  /// Per second; nil where the counter began anew or no time passed.
  private func rate(_ earlier: Double, _ later: Double) -> Double? {
    seconds > 0 && later >= earlier ? (later - earlier) / seconds : nil
  }

  private func perSecond(_ earlier: UInt64, _ later: UInt64) -> String {
    rate(Double(earlier), Double(later)).map { Quantity.fixed($0, 1) + "/s" } ?? "-"
  }

  /// From four fifths on in yellow, from all of it on in red.
  private func share(_ used: Double?, _ limit: Double, _ style: Style) -> Table.Cell {
    guard let used, limit > 0 else { return "-" }
    let part = used / limit
    let decorate = part >= 1 ? style.red : part >= 0.8 ? style.yellow : { $0 }
    return .init(Quantity.percent(part), decorate)
  }

  /// The bounds under which half and 95 % of the interval's requests stayed.
  private var latency: String {
    let (old, new) = (before.requestDurations, now.requestDurations)
    guard old.counts.count == new.counts.count, let all = new.counts.last,
      let earlier = old.counts.last, all > earlier
    else { return "" }
    func bound(_ part: Double) -> String {
      let wanted = Double(all - earlier) * part
      let index = new.counts.indices.first { Double(new.counts[$0] - old.counts[$0]) >= wanted }
      guard let index, index < new.boundsSeconds.count else {
        return "> \(Quantity.seconds(new.boundsSeconds.last ?? 0))"
      }
      return "≤ \(Quantity.fixed(new.boundsSeconds[index] * 1_000, 1)) ms"
    }
    return "50 % of the requests took \(bound(0.5)), 95 % \(bound(0.95))\n"
  }

  private func budgets(_ style: Style) -> String {
    guard !now.budgets.isEmpty else { return "" }
    var table = Table([
      ("BUDGET", .left), ("USED", .right), ("MAX", .right), ("", .right), ("THEN", .left),
    ])
    for budget in now.budgets {
      let used = budget.used ?? 0
      table.add([
        .init("\(budget.meter)/\(budget.period.rawValue)"), .init("\(used)"),
        .init("\(budget.max)"), share(Double(used), Double(max(1, budget.max)), style),
        .init(budget.action.rawValue),
      ])
    }
    return table.text(style: style)
  }

  // MARK: Processes

  private func processes(_ style: Style) -> String {
    guard !now.processes.isEmpty else { return "no process runs\n" }
    var table = Table([
      ("PID", .right), ("OF", .left), ("STATE", .left), ("THREADS", .right), ("CPU", .right),
      ("TIME", .right), ("MEMORY", .right), ("NAME", .left),
    ])
    var earlier: [Key: AppProcess] = [:]
    for process in before.processes { earlier[Key(process)] = process }
    let shown = now.processes.map { process in
      // One that is new was not there a moment ago: all it used is of this interval.
      (
        process: process,
        cores: rate(earlier[Key(process)]?.cpuSeconds ?? 0, process.cpuSeconds)
      )
    }
    let busiestFirst = shown.sorted {
      ($0.cores ?? 0, $1.process.pid) > ($1.cores ?? 0, $0.process.pid)
    }
    for (process, cores) in busiestFirst {
      table.add([
        .init("\(process.pid)"), .init(process.role), .init(process.state),
        .init("\(process.threads)"), .init(cores.map(Quantity.percent) ?? "-"),
        .init(Quantity.seconds(process.cpuSeconds)), .init(Quantity.bytes(process.memoryBytes)),
        .init(Printer.harmless(process.name)),
      ])
    }
    return table.text(style: style)
  }

  /// A pid is used again; with its start it names one process.
  private struct Key: Hashable {
    var pid: Int32
    var startTicks: UInt64

    init(_ process: AppProcess) {
      pid = process.pid
      startTicks = process.startTicks
    }
  }
}
