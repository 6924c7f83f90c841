// SPDX-License-Identifier: Apache-2.0
import Meter
import Testing

@Suite("What an app is told of its costs")
struct CostTests {
  private let time = ManualClock("2026-03-30T22:00:00Z")

  private static func cpu(_ price: String) -> PriceBookSource.Price {
    .init(
      sku: "cpu", title: "CPU", meters: ["cpu.user", "cpu.host"], unit: "core-hour", price: price,
      free: "0.5")
  }

  private func priced(_ directory: TemporaryDirectory) throws -> MeterBook {
    let book = try MeterBook(directory: directory.path, clock: time.clock)
    try book.setPrices(
      PriceBookSource(
        currency: "EUR",
        version: [
          .init(
            number: 1, from: "2026-03-01",
            price: [
              Self.cpu("1"),
              .init(
                sku: "disk", title: "Disk", meters: ["storage.time"], unit: "gib-hour",
                price: "0.5"),
            ]),
          .init(number: 2, from: "2026-03-31", price: [Self.cpu("2")]),
        ]))
    return book
  }

  @Test("lines name meters, quantity, price version and millionths, and what waits is in them")
  func lines() throws {
    let directory = try TemporaryDirectory()
    let book = try priced(directory)
    let counter = try book.registry.counter(Meters.cpuHost, app: "a")
    counter.add(3_600_000_000)
    time.advance(seconds: 60)
    try book.tick()
    // Not ticked: one hour at 1 EUR more.
    counter.add(3_600_000_000)
    let cost = try book.cost(app: "a")
    #expect(cost.since.rfc3339 == "2026-03-01T00:00:00Z")
    let line = try #require(cost.lines.first)
    #expect(cost.lines.count == 1)
    #expect((line.sku, line.priceVersion, line.currency) == ("cpu", 1, "EUR"))
    #expect((line.quantity, line.micros) == (7_200_000_000, 1_500_000))
    #expect((line.unit, line.pricingUnit, line.per) == (.microseconds, .coreHour, 3_600_000_000))
    #expect(
      line.meters == [
        .init(meter: "cpu.user", quantity: 0), .init(meter: "cpu.host", quantity: 7_200_000_000),
      ])
    #expect(cost.totals == ["EUR": 1_500_000])
    // The tick charges what was told, no more and no less.
    try book.tick()
    #expect(try book.cost(app: "a").totals == cost.totals)
    #expect(try book.cost(app: "b").lines.isEmpty)
  }

  @Test("asking writes nothing and moves nobody's place in the month")
  func isReading() throws {
    let directory = try TemporaryDirectory()
    let book = try priced(directory)
    try book.registry.counter(Meters.cpuHost, app: "a").add(3_600_000_000)
    let told = try (0..<50).map { _ in try book.cost(app: "a") }
    #expect(Set(told.map { $0.totals["EUR"] ?? 0 }) == [500_000])
    try book.tick()
    #expect(try book.usage(app: "a").charges.map(\.micros) == [500_000])
  }

  @Test("each price version has its own lines, and a new month begins at nothing")
  func versions() throws {
    let directory = try TemporaryDirectory()
    let book = try priced(directory)
    let counter = try book.registry.counter(Meters.cpuHost, app: "a")
    counter.add(3_600_000_000)
    try book.tick()
    time.advance(seconds: 3 * 3_600)
    try book.tick()
    counter.add(3_600_000_000)
    time.advance(seconds: 60)
    try book.tick()
    let cost = try book.cost(app: "a")
    #expect(cost.lines.map(\.priceVersion) == [1, 2])
    #expect(cost.lines.map(\.micros) == [500_000, 2_000_000])
    #expect(cost.lines.map(\.quantity) == [3_600_000_000, 3_600_000_000])
    let report = try book.report(
      ReportQuery(kind: .cost, apps: ["a"], by: [.app], since: cost.since, until: time.wall))
    #expect(report.money == cost.totals)
    time.advance(seconds: 86_400)
    try book.tick()
    #expect(try book.cost(app: "a").since.rfc3339 == "2026-04-01T00:00:00Z")
    #expect(try book.cost(app: "a").lines.isEmpty)
  }

  @Test("storage over time is charged up to now, and before any prices nothing is")
  func levels() throws {
    let directory = try TemporaryDirectory()
    let book = try priced(directory)
    try book.registry.level(Meters.storage, app: "a", label: "data").set(2 << 30)
    try book.tick()
    time.advance(seconds: 3_600)
    let cost = try book.cost(app: "a")
    #expect(cost.lines.map(\.sku) == ["disk"])
    #expect(cost.lines.first?.quantity == Int64(2_048 * 3_600))
    #expect(cost.totals == ["EUR": 1_000_000])
    let other = try TemporaryDirectory()
    let bare = try MeterBook(directory: other.path, clock: time.clock)
    try bare.registry.counter(Meters.cpuHost, app: "a").add(5)
    #expect(try bare.cost(app: "a").lines.isEmpty)
  }
}
