// SPDX-License-Identifier: Apache-2.0
import Meter
import Testing

@Suite("Prices")
struct PriceTests {
  private let time = ManualClock("2026-03-09T10:00:00Z")

  private func cpu(_ price: String = "0.36", free: String? = nil) -> PriceBookSource.Price {
    .init(
      sku: "cpu", meters: ["cpu.user", "cpu.system"], unit: "core-hour", price: price, free: free)
  }

  private func book(_ versions: PriceBookSource.Version...) -> PriceBookSource {
    PriceBookSource(currency: "EUR", version: versions)
  }

  private func problems(_ source: PriceBookSource) -> [PriceProblem.Kind] {
    do {
      _ = try source.checked()
      return []
    } catch {
      return error.problems.map(\.kind)
    }
  }

  @Test("overlaps, currency changes in mid-month and double prices are refused by name")
  func refused() {
    #expect(problems(book()) == [.empty])
    #expect(
      problems(
        book(
          .init(number: 1, from: "2026-01-01", until: "2026-03-01", price: [cpu()]),
          .init(number: 2, from: "2026-02-15", price: [cpu()]))) == [.overlap])
    #expect(
      problems(
        book(
          .init(number: 1, from: "2026-01-01", price: [cpu()]),
          .init(number: 2, from: "2026-01-01", price: [cpu()]))) == [.overlap])
    let change = { (day: String) in
      self.book(
        .init(number: 1, from: "2026-01-01", price: [self.cpu()]),
        .init(number: 2, from: day, currency: "USD", price: [self.cpu()]))
    }
    #expect(problems(change("2026-02-15")) == [.currencyChange])
    #expect(problems(change("2026-02-01")) == [])
    var second = cpu()
    second.sku = "cpu2"
    #expect(
      problems(book(.init(number: 1, from: "2026-01-01", price: [cpu(), second])))
        == [.duplicate, .duplicate])
  }

  @Test("every problem is listed at once, with its path")
  func allAtOnce() throws {
    let source = book(
      .init(
        number: 0, from: "1 May", currency: "euro",
        price: [
          .init(sku: "cpu", meters: ["cpu.usr"], unit: "core-hour", price: "0.1"),
          .init(sku: "mem", meters: ["memory.time", "cpu.user"], unit: "gib-hour", price: "1"),
          .init(sku: "net", meters: ["egress.sent"], unit: "GiB", price: "1"),
          .init(sku: "req", meters: ["requests"], unit: "each", price: "0.0000001"),
          .init(sku: "x y", meters: ["calls"], unit: "each", price: "1"),
          .init(
            sku: "jobs", meters: ["jobs.runs"], unit: "each", price: "1", free: "10",
            tier: [.init(above: "5", price: "0.5")]),
        ]))
    #expect(
      problems(source)
        == [
          .badNumber, .badDate, .badCurrency, .unknownMeter, .badUnit, .badUnit, .badNumber,
          .badNumber, .badTier,
        ])
    do {
      _ = try source.checked()
      Issue.record("accepted")
    } catch {
      #expect(error.description.contains("version[0].price[0].meters: there is no meter cpu.usr"))
    }
  }

  @Test("what any interval costs adds up to what the month costs, tiers and free part included")
  func telescoping() throws {
    let price = try #require(
      try book(
        .init(
          number: 1, from: "2026-01-01",
          price: [
            .init(
              sku: "cpu", meters: ["cpu.user"], unit: "core-hour", price: "0.333333", free: "0.5",
              tier: [.init(above: "2", price: "0.1"), .init(above: "3.5", price: "0.000001")])
          ])
      ).checked().versions.first?.prices.first)
    #expect(price.cost(upTo: 1_800_000_000) == 0)
    #expect(price.cost(upTo: 3_600_000_000) == 166_667)
    #expect(price.cost(upTo: 7_200_000_000) == 500_000)
    #expect(price.cost(upTo: 9_000_000_000) == 550_000)
    #expect(price.cost(upTo: 12_600_000_000 + 3_600_000_000) == 650_001)
    var random = SeededRandom(seed: 7)
    var position: Int64 = 0
    var charged: Int64 = 0
    while position < 20_000_000_000 {
      let next = position + Int64.random(in: 1...90_000_000, using: &random)
      let charge = price.cost(upTo: next) - price.cost(upTo: position)
      #expect(charge >= 0)
      charged += charge
      position = next
    }
    #expect(charged == price.cost(upTo: position))
  }

  @Test("largest remainders: parts sum to the whole and each is within one of its share")
  func apportioning() {
    #expect(apportion(10, by: [1, 1, 1]) == [4, 3, 3])
    #expect(apportion(0, by: [5, 5]) == [0, 0])
    #expect(apportion(7, by: [0, 0]) == [7, 0])
    #expect(apportion(100, by: [333, 333, 334]) == [33, 33, 34])
    var random = SeededRandom(seed: 3)
    for _ in 0..<500 {
      let weights = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        Int64.random(in: 0...1_000_000, using: &random)
      }
      let amount = Int64.random(in: 0...1_000_000_000_000, using: &random)
      let parts = apportion(amount, by: weights)
      #expect(parts.reduce(0, +) == amount)
      let total = weights.reduce(0, +)
      guard total > 0 else { continue }
      for (part, weight) in zip(parts, weights) {
        let exact = Double(amount) * Double(weight) / Double(total)
        #expect(abs(Double(part) - exact) <= 1.001)
      }
    }
  }

  @Test("decimal numbers are read exactly or not at all")
  func decimals() {
    #expect(Decimal6("0.000001")?.millionths == 1)
    #expect(Decimal6("1_000.5")?.millionths == 1_000_500_000)
    #expect(Decimal6("12")?.text(places: 2) == "12.00")
    #expect(Decimal6(millionths: -1_500_000).text() == "-1.5")
    for text in ["", ".5", "1.", "-1", "1e3", "0.0000001", "9300000000000000", "1,5", "٣"] {
      #expect(Decimal6(text) == nil, "\(text)")
    }
  }

  @Test("charges cite their version, and a new version never alters what was charged")
  func versions() throws {
    let directory = try TemporaryDirectory()
    let meter = try MeterBook(directory: directory.path, clock: time.clock)
    let counter = try meter.registry.counter(Meters.cpuHost, app: "a")
    func priced(_ price: String) -> PriceBookSource.Price {
      .init(sku: "cpu", meters: ["cpu.host"], unit: "core-hour", price: price)
    }
    counter.add(3_600_000_000)
    try meter.tick()  // before any price: measured, not charged
    try meter.setPrices(book(.init(number: 1, from: "2026-03-01", price: [priced("1")])))
    time.advance(seconds: 60)
    counter.add(1_800_000_000)
    try meter.tick()
    // The past cannot be changed, removed, or begun again.
    for attempt in [
      book(.init(number: 1, from: "2026-03-01", price: [priced("2")])),
      book(.init(number: 2, from: "2026-03-01", price: [priced("1")])),
      book(
        .init(number: 1, from: "2026-03-01", until: "2026-03-09", price: [priced("1")]),
        .init(number: 2, from: "2026-03-09", price: [priced("2")])),
    ] {
      #expect(throws: MeterError.self) { try meter.setPrices(attempt) }
    }
    try meter.setPrices(
      book(
        .init(number: 1, from: "2026-03-01", price: [priced("1")]),
        .init(number: 2, from: "2026-03-10", price: [priced("2")])))
    counter.add(1_800_000_000)
    time.advance(seconds: 60)
    try meter.tick()
    time.advance(seconds: 86_400)
    try meter.tick()
    counter.add(3_600_000_000)
    time.advance(seconds: 60)
    try meter.tick()
    let costs = try meter.usage(app: "a").quantities.filter { $0.meter == "cost.cpu" }
    #expect(costs.map(\.label) == ["EUR v1", "EUR v2"])
    #expect(costs.map(\.quantity) == [1_000_000, 2_000_000])
    // The book and each app's place in its month survive a restart.
    let again = try MeterBook(directory: directory.path, clock: time.clock)
    #expect(again.prices == meter.prices)
  }

  @Test("a month's free part is free once, over restarts, and comes back with the next month")
  func freePart() throws {
    let directory = try TemporaryDirectory()
    for step in 0..<4 {
      let meter = try MeterBook(directory: directory.path, clock: time.clock)
      if step == 0 {
        try meter.setPrices(
          book(
            .init(
              number: 1, from: "2026-03-01",
              price: [
                .init(sku: "req", meters: ["requests"], unit: "each", price: "0.01", free: "15")
              ])))
      }
      try meter.registry.counter(Meters.requests, app: "a", label: "2xx").add(10)
      time.advance(seconds: 60)
      try meter.tick()
      if step == 2 { time.advance(seconds: 40 * 86_400) }
    }
    let meter = try MeterBook(directory: directory.path, clock: time.clock)
    let cost = try meter.usage(app: "a").quantities.first { $0.meter == "cost.req" }
    #expect(cost?.quantity == Int64(150_000))
  }
}
