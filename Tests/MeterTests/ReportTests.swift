// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter
import Testing

@Suite("Reports")
struct ReportTests {
  /// Made once: the tests that share it only read.
  private static let shared = Result { try DemoBook() }

  @Test("tables, JSON, CSV and pages are what they were")
  func golden() throws {
    let demo = try Self.shared.get()
    let book = demo.book
    let usage = try book.report(demo.query(.usage))
    let cost = try book.report(demo.query(.cost))
    try expectGolden(usage.table(width: 120), "usage-by-app.txt")
    try expectGolden(usage.table(width: 60), "usage-by-app-narrow.txt")
    try expectGolden(cost.table(width: 120), "cost-by-app.txt")
    try expectGolden(cost.json(), "cost-by-app.json")
    try expectGolden(usage.json(), "usage-by-app.json")
    try expectGolden(usage.html(), "usage-by-app.html")
    try expectGolden(cost.html(), "cost-by-app.html")
    try expectGolden(
      try book.report(demo.query(.usage, by: [.day])).table(width: 120), "usage-by-day.txt")
    try expectGolden(
      try book.report(demo.query(.usage, by: [.app, .destination])).table(width: 120),
      "usage-by-destination.txt")
    try expectGolden(
      try book.report(demo.query(.usage, by: [.app, .meter])).usageCSV(), "usage-by-meter.csv")
    try expectGolden(
      try book.report(demo.query(.cost, by: [.app, .day, .meter])).table(width: 120),
      "cost-by-day.txt")
    let site = Report.Site(
      accountID: "site-1", accountName: "Library, main house", organisation: "Example \"Org\"",
      appNames: ["org.example.wiki": "Wiki"])
    try expectGolden(
      try book.report(demo.query(.cost, by: [.app, .day])).focusCSV(site), "cost-focus.csv")
  }

  @Test("whatever rows are kept apart by, they sum to the same totals exactly")
  func sums() throws {
    let demo = try Self.shared.get()
    var money: Set<[String: Int64]> = []
    var usage: Set<[Int64]> = []
    for by in [
      [], [.app], [.day], [.hour], [.meter], [.destination], [.app, .day, .destination],
    ] as [[ReportQuery.Dimension]] {
      let cost = try demo.book.report(demo.query(.cost, by: by))
      #expect(cost.rows.reduce(0) { $0 + ($1.charge?.micros ?? 0) } == cost.money["EUR"])
      money.insert(cost.money)
      let used = try demo.book.report(demo.query(.usage, by: by))
      usage.insert(used.totals.filter { $0.item != "memory.peak" }.map(\.quantity))
    }
    #expect(money.count == 1)
    #expect(usage.count == 1)
    let one = try #require(money.first?["EUR"])
    let each = try ["org.example.journal", "org.example.wiki", "net.example.tiny"].map { app in
      try demo.book.report(demo.query(.cost, apps: [app])).money["EUR"] ?? 0
    }
    #expect(each.reduce(0, +) == one)
  }

  @Test("a report agrees with what apps were told and with the ledger")
  func agreement() throws {
    let demo = try DemoBook()
    try demo.book.close()
    let report = try demo.book.report(
      ReportQuery(
        kind: .usage, by: [.app, .meter], since: WallTime(rfc3339: DemoBook.start)!,
        until: .distantFuture))
    for app in ["org.example.journal", "org.example.wiki", "net.example.tiny"] {
      let usage = try demo.book.usage(app: app)
      for meter in [Meters.cpuUser, Meters.requests, Meters.storageTime, Meters.memoryTime] {
        let rows = report.rows.filter { $0.app == app && $0.item == meter.name }
        #expect(rows.reduce(0) { $0 + $1.quantity } == usage.total(meter))
      }
      #expect(
        try demo.book.ledgerTotal(app: app, ledger: LedgerNumber.cpu) == usage.cpuMicroseconds)
      #expect(
        try demo.book.ledgerTotal(app: app, ledger: LedgerNumber.money(iso4217: 978))
          == usage.quantities.filter { $0.meter.hasPrefix("cost.") }.reduce(0) { $0 + $1.quantity })
    }
  }

  @Test("a gap is shown by name in every form")
  func gap() throws {
    let demo = try Self.shared.get()
    let report = try demo.book.report(demo.query(.usage))
    #expect(report.gaps.map(\.reason) == [.crash])
    for text in [report.table(), report.json(), report.html()] {
      #expect(text.contains("2026-02-28T16:00:00Z"))
    }
  }

  @Test("what a guest chose to be called is text, not markup, control characters or a formula")
  func hostile() throws {
    let directory = try TemporaryDirectory()
    let time = ManualClock()
    let book = try MeterBook(directory: directory.path, clock: time.clock)
    for label in [
      "<script>alert(1)</script>", "=HYPERLINK(\"x\")", "\u{1b}[31mred\u{202e}", "a,\"b\"\n",
    ] {
      try book.registry.counter(Meters.egressSent, app: "a", label: label).add(10)
    }
    time.advance(seconds: 60)
    try book.tick()
    let report = try book.report(
      ReportQuery(
        kind: .usage, by: [.destination], since: WallTime(rfc3339: "2026-03-09")!,
        until: WallTime(rfc3339: "2026-03-10")!))
    #expect(!report.html().contains("<script"))
    #expect(!report.table().contains("\u{1b}") && !report.table().contains("\u{202e}"))
    let csv = report.usageCSV()
    #expect(csv.contains("\"'=HYPERLINK(\"\"x\"\")\""))
    #expect(csv.contains("\"a,\"\"b\"\"\n\""))
    let parsed = try JSONSerialization.jsonObject(with: Data(report.json().utf8)) as? [String: Any]
    #expect((parsed?["rows"] as? [Any])?.count == 4)
  }

  @Test("a report of more rows than the memory is meant for is refused by name")
  func tooLarge() throws {
    let directory = try TemporaryDirectory()
    let time = ManualClock("2026-03-09T00:00:00Z")
    var configuration = MeterBook.Configuration()
    configuration.reportRowsMax = 10
    let book = try MeterBook(
      directory: directory.path, configuration: configuration, clock: time.clock)
    for _ in 0..<12 {
      for app in ["a", "b"] {
        try book.registry.counter(Meters.requests, app: app, label: "2xx").add(1)
      }
      time.advance(seconds: 3_600)
      try book.tick()
    }
    func rows(_ by: [ReportQuery.Dimension], _ apps: [String] = []) throws -> Int {
      try book.report(
        ReportQuery(
          kind: .usage, apps: apps, by: by, since: WallTime(rfc3339: "2026-03-08")!,
          until: time.wall)
      ).rows.count
    }
    #expect(try rows([.app]) == 2)
    #expect(throws: MeterError.self) { try rows([.app, .hour]) }
    #expect(throws: MeterError.self) { try rows([.hour], ["a"]) }
    #expect(try rows([.app, .day]) == 2)
    for _ in 0..<100 {
      try book.registry.counter(Meters.requests, app: "a", label: "2xx").add(1)
      time.advance(seconds: 3_600)
      try book.tick()
    }
    #expect {
      try rows([.app, .hour])
    } throws: { error in
      "\(error)".contains("more than 80 sums by hour or day")
    }
  }

  @Test("an empty report and a wrong time say so")
  func empty() throws {
    let directory = try TemporaryDirectory()
    let book = try MeterBook(directory: directory.path, clock: ManualClock().clock)
    let day = WallTime(rfc3339: "2026-03-09")!
    let report = try book.report(
      ReportQuery(kind: .usage, since: day, until: WallTime(rfc3339: "2026-03-10")!))
    #expect(report.table().contains("Nothing was used."))
    #expect(report.html().contains("Nothing was used."))
    #expect(throws: MeterError.self) {
      try book.report(ReportQuery(kind: .usage, since: day, until: day))
    }
    #expect(throws: MeterError.self) {
      try book.report(
        ReportQuery(
          kind: .usage, by: [.hour], since: day, until: WallTime(rfc3339: "2029-03-10")!))
    }
    #expect(throws: MeterError.self) {
      try report.focusCSV(.init(accountID: "", accountName: "", organisation: ""))
    }
  }
}
