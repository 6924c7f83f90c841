// SPDX-License-Identifier: Apache-2.0
import SQLite
import Synchronization

/// What one app's use has cost in the calendar month (UTC) so far: tiers and free parts count by month.
public struct AppCost: Sendable, Equatable {
  /// What was used under one price, and what it costs.
  public struct Line: Sendable, Equatable {
    /// The price's short name, such as `cpu`.
    public var sku: String
    public var title: String
    public var priceVersion: UInt32
    /// ISO 4217.
    public var currency: String
    /// Millionths of the currency.
    public var micros: Int64
    /// The sum over `meters`.
    public var quantity: Int64
    /// What `quantity` counts.
    public var unit: MeterUnit
    /// What the price is for: `core-hour`, `gib`, …
    public var pricingUnit: PricingUnit
    /// How many of `unit` make one `pricingUnit`.
    public var per: Int64
    /// The meters the price is made of, with what each counted; those that counted nothing too.
    public var meters: [Meter]
  }
  public struct Meter: Sendable, Equatable {
    public var meter: String
    public var quantity: Int64

    public init(meter: String, quantity: Int64) {
      self.meter = meter
      self.quantity = quantity
    }
  }

  public var app: String
  /// The first moment of the month.
  public var since: WallTime
  /// Exclusive.
  public var until: WallTime
  /// By price version, then sku. Only what is priced: measured and free of charge is not here.
  public var lines: [Line]

  /// Millionths by currency; each is the exact sum of its lines.
  public var totals: [String: Int64] {
    lines.reduce(into: [:]) { $0[$1.currency, default: 0] += $1.micros }
  }
}

extension MeterBook {
  /// What an app's use has cost in this month, up to this moment: what was charged, and what the next tick would charge
  /// for what waits for it. Reads and writes nothing but the book's file, which it only reads. Blocks.
  public func cost(app: String) throws(MeterError) -> AppCost {
    let definitions = try knownDefinitions()
    return try disk.withLock { disk throws(MeterError) in
      // Inside the disk's lock nothing moves from memory to disk, so nothing is seen twice.
      let store = disk.store
      let marks = try store.attempt { () throws(SQLiteError) in try store.rollupMarks() }
      let now = clock.wall()
      let month = Pricing.month(of: now)
      let waiting = waitingLines(app: app, at: now)
      var cost = AppCost(app: app, since: month, until: now, lines: [])
      for version in prices.versions where version.from <= now && version.until > month {
        let span = (since: max(month, version.from), until: version.until)
        let plan = QueryPlan(since: span.since, until: span.until, rows: nil, marks: marks)
        var sums: [String: Int64] = [:]
        let label = Pricing.label(version)
        func add(_ key: SeriesKey, _ quantity: Int64) {
          if Pricing.sku(ofMeter: key.meter) != nil, key.label != label { return }
          let sum = Int128(sums[key.meter] ?? 0) + Int128(quantity)
          sums[key.meter] = Int64(clamping: sum)
        }
        for total in try store.totals(
          plan, rows: nil, where: { $0.app == app }, isPeak: { definitions[$0]?.kind == .peak })
        { add(total.key, total.quantity) }
        for line in waiting where line.start >= span.since && line.start < span.until {
          add(line.key, line.quantity)
        }
        cost.lines += lines(of: version, sums, definitions)
      }
      return cost
    }
  }

  /// What waits for the next tick as the lines it would be, and the charges for them. Changes nothing.
  private func waitingLines(app: String, at now: WallTime) -> [MeterLine] {
    let added = registry.waiting(app: app)
    return memory.withLock { memory in
      var lines = added.map {
        MeterLine($0.key, quantity: $0.quantity, start: memory.intervalStart, end: now)
      }
      lines += memory.accumulator.pending.filter { $0.key.app == app }.map {
        MeterLine($0.key, quantity: $0.value, start: memory.intervalStart, end: now)
      }
      // A level over time begins where it was last settled, in this month or before it.
      lines += unsettled(memory, app: app).map { total in
        let level = memory.levels.first {
          $0.key.app == app && $0.key.label == total.key.label
            && registry.definition($0.key.meter)?.integral == total.key.meter
        }
        return MeterLine(
          total.key, quantity: total.quantity,
          start: level?.value.sinceWall ?? memory.intervalStart, end: now)
      }
      var pricing = memory.pricing
      return lines + pricing.charge(lines).charges
    }
  }

  private func lines(
    of version: PriceVersion, _ sums: [String: Int64], _ definitions: [String: MeterDefinition]
  ) -> [AppCost.Line] {
    version.prices.sorted { $0.sku < $1.sku }.compactMap { price in
      let meters = price.meters.map { AppCost.Meter(meter: $0, quantity: sums[$0] ?? 0) }
      let micros = sums[Pricing.meterName(sku: price.sku)] ?? 0
      let quantity = meters.reduce(Int128(0)) { $0 + Int128($1.quantity) }
      guard quantity > 0 || micros > 0 else { return nil }
      return AppCost.Line(
        sku: price.sku, title: price.title, priceVersion: version.number,
        currency: version.currency, micros: micros, quantity: Int64(clamping: quantity),
        unit: price.meters.first.flatMap { definitions[$0]?.unit } ?? .count,
        pricingUnit: price.unit, per: price.per, meters: meters)
    }
  }
}
