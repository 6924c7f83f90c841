// SPDX-License-Identifier: Apache-2.0
import Synchronization
import SQLite

/// What one app used over a time.
public struct AppUsage: Sendable, Equatable {
  public struct Quantity: Sendable, Equatable {
    public var meter: String
    /// Destination, kind or outcome; empty where the meter has no label.
    public var label: String
    public var source: SampleSource
    public var quantity: Int64
    public var unit: MeterUnit
  }
  public struct Held: Sendable, Equatable {
    public var meter: String
    public var label: String
    public var bytes: Int64

    public init(meter: String, label: String, bytes: Int64) {
      self.meter = meter
      self.label = label
      self.bytes = bytes
    }
  }

  public var app: String
  /// Inclusive. May be earlier than asked where only coarser rollups are kept.
  public var since: WallTime
  /// Exclusive.
  public var until: WallTime
  /// Sorted by meter, label and source.
  public var quantities: [Quantity]
  public var held: [Held]

  /// The sum of a meter over its labels and sources; for a peak the highest.
  public func total(_ meter: MeterDefinition) -> Int64 {
    let found = quantities.filter { $0.meter == meter.name }.map(\.quantity)
    return meter.kind == .peak ? found.max() ?? 0 : found.reduce(0, +)
  }

  /// User, kernel and host work for the app.
  public var cpuMicroseconds: Int64 {
    total(Meters.cpuUser) + total(Meters.cpuSystem) + total(Meters.cpuHost)
  }

  /// What the use cost so far, by sku, currency and price version; up to the last tick.
  public var charges: [Charge] {
    quantities.compactMap { quantity in
      guard let sku = Pricing.sku(ofMeter: quantity.meter),
        let cited = Pricing.citation(quantity.label)
      else { return nil }
      return Charge(
        sku: sku, micros: quantity.quantity, currency: cited.currency, priceVersion: cited.version)
    }
  }

  public struct Charge: Sendable, Equatable {
    public var sku: String
    /// Millionths of the currency.
    public var micros: Int64
    public var currency: String
    public var priceVersion: UInt32
  }

  /// Where the CPU and memory figures were read.
  public var sources: [SampleSource] {
    SampleSource.allCases.filter { source in quantities.contains { $0.source == source } }
  }
}

extension MeterBook {
  /// What an app used since a time, up to this moment: stored lines, what waits for the next tick,
  /// and levels up to now. Blocks.
  public func usage(app: String, since: WallTime = WallTime(microseconds: 0)) throws(MeterError)
    -> AppUsage
  {
    let definitions = try knownDefinitions()
    let isPeak = { (meter: String) in definitions[meter]?.kind == .peak }
    return try disk.withLock { disk throws(MeterError) in
      // Inside the disk's lock nothing moves from memory to disk, so nothing is seen twice.
      let store = disk.store
      let marks = try store.attempt { () throws(SQLiteError) in try store.rollupMarks() }
      let now = clock.wall()
      let plan = QueryPlan(
        // No end: after a clock went back, lines are stamped later than now.
        since: since, until: .distantFuture, rows: nil, marks: marks)
      let stored = try store.totals(plan, rows: nil, where: { $0.app == app }, isPeak: isPeak)
      var sums: [SeriesKey: Int64] = [:]
      for total in stored + waiting(app: app) {
        let old = sums[total.key] ?? 0
        sums[total.key] =
          isPeak(total.key.meter) ? max(old, total.quantity) : old + total.quantity
      }
      let quantities = sums.map { key, quantity in
        AppUsage.Quantity(
          meter: key.meter, label: key.label, source: key.source, quantity: quantity,
          unit: definitions[key.meter]?.unit ?? .count)
      }
      return AppUsage(
        app: app, since: plan.since, until: now,
        quantities: quantities.sorted {
          ($0.meter, $0.label, $0.source.rawValue) < ($1.meter, $1.label, $1.source.rawValue)
        }, held: held(app: app))
    }
  }

  /// What is not on disk yet.
  func waiting(app: String) -> [SeriesTotal] {
    let added = registry.waiting(app: app).map {
      SeriesTotal(key: $0.key, bucket: nil, quantity: $0.quantity)
    }
    return memory.withLock { memory in
      let pending = memory.accumulator.pending.filter { $0.key.app == app }.map {
        SeriesTotal(key: $0.key, bucket: nil, quantity: $0.value)
      }
      return added + pending + unsettled(memory, app: app)
    }
  }

  /// Levels over time since they were last settled, up to now.
  func unsettled(_ memory: Memory, app: String?) -> [SeriesTotal] {
    let running = max(0, (clock.monotonic() - memory.time.monotonic).value)
    return memory.levels.compactMap { key, level in
      guard app == nil || key.app == app, let name = registry.definition(key.meter)?.integral
      else { return nil }
      let quantity = level.integral(until: memory.bookTime + running).mebibyteSeconds
      var over = key
      over.meter = name
      return quantity > 0 ? SeriesTotal(key: over, bucket: nil, quantity: quantity) : nil
    }
  }

  /// Levels of an app as last set.
  func held(app: String) -> [AppUsage.Held] {
    var levels = memory.withLock { memory in
      memory.levels.filter { $0.key.app == app }.mapValues(\.bytes)
    }
    for (key, bytes) in registry.levels(app: app) { levels[key] = bytes }
    return levels.map { AppUsage.Held(meter: $0.key.meter, label: $0.key.label, bytes: $0.value) }
      .sorted { ($0.meter, $0.label) < ($1.meter, $1.label) }
  }

  /// Definitions of meters registered now or by an earlier run.
  func knownDefinitions() throws(MeterError) -> [String: MeterDefinition] {
    var found = try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      return try store.attempt { () throws(SQLiteError) in try store.definitions() }
    }
    for definition in registry.definitions { found[definition.name] = definition }
    return found
  }

  /// The newest events in a time, oldest first. Blocks.
  public func events(since: WallTime, until: WallTime, limit: Int = 1_000) throws(MeterError)
    -> [MeterEvent]
  {
    try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      return try store.attempt { () throws(SQLiteError) in
        try store.events(since: since, until: until, limit: limit)
      }
    }
  }

  /// Times in which nothing was measured. Blocks.
  public func gaps(since: WallTime, until: WallTime) throws(MeterError) -> [MeterGap] {
    try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      return try store.attempt { () throws(SQLiteError) in
        try store.gaps(since: since, until: until)
      }
    }
  }
}
