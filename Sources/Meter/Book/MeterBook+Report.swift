// SPDX-License-Identifier: Apache-2.0
import SQLite
import Synchronization

extension MeterBook {
  /// LIMIT: days a report by hour spans.
  public static let hourReportDaysMax: Int64 = 400

  /// Answers a query from the stored lines, up to the last tick. Blocks.
  /// - Throws: `invalid` for a time that ends before it begins or is too long for its rows; `tooMany` past
  ///   `Configuration.reportRowsMax` rows.
  public func report(_ query: ReportQuery) throws(MeterError) -> Report {
    guard query.since < query.until else {
      throw .invalid(
        what: "the time of the report",
        why: "\(query.until.rfc3339) is not after \(query.since.rfc3339)")
    }
    let span = query.until.seconds - query.since.seconds
    if query.by.contains(.hour), span > Self.hourReportDaysMax * 86_400 {
      throw .invalid(
        what: "a report by hour", why: "at most \(Self.hourReportDaysMax) days; use --by day")
    }
    let definitions = try knownDefinitions()
    let bucket: Bucket = query.by.contains(.hour) || span <= 3 * 86_400 ? .hour : .day
    return try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      let marks = try store.attempt { () throws(SQLiteError) in try store.rollupMarks() }
      let plan = QueryPlan(
        since: query.since, until: query.until, rows: bucket == .hour ? .hour : nil, marks: marks)
      let apps = Set(query.apps)
      let wanted = { (key: SeriesKey) in apps.isEmpty || apps.contains(key.app) }
      var totals = try store.totals(
        plan, rows: bucket, max: 8 * configuration.reportRowsMax, where: wanted,
        isPeak: { definitions[$0]?.kind == .peak })
      totals += unsettledRows(plan, bucket, where: wanted)
      let gaps = try store.attempt { () throws(SQLiteError) in
        try store.gaps(since: plan.since, until: plan.until)
      }
      let builder = ReportBuilder(
        query: query, plan: plan, bucket: bucket, hoursFrom: marks.from(.hour),
        definitions: definitions, prices: prices, now: clock.wall())
      let measured = memory.withLock { $0.time.wall }
      let isUpToNow = query.kind == .usage && plan.until >= measured
      let report = builder.build(
        totals, measuredUntil: measured, held: isUpToNow ? heldNow(where: wanted) : [],
        gaps: gaps)
      guard report.rows.count <= configuration.reportRowsMax else {
        throw .tooMany(
          what: "rows in one report; ask for one app or a shorter time",
          max: configuration.reportRowsMax)
      }
      return report
    }
  }

  private func heldNow(where wanted: (SeriesKey) -> Bool) -> [Report.Held] {
    memory.withLock { memory in
      memory.levels.filter { wanted($0.key) && $0.value.bytes > 0 }.map { key, level in
        Report.Held(app: key.app, meter: key.meter, label: key.label, bytes: level.bytes)
      }.sorted { ($0.app, $0.meter, $0.label) < ($1.app, $1.meter, $1.label) }
    }
  }

  /// Levels over time that no line holds yet: they are written when they change or an hour ends.
  private func unsettledRows(
    _ plan: QueryPlan, _ bucket: Bucket, where wanted: (SeriesKey) -> Bool
  ) -> [SeriesTotal] {
    memory.withLock { memory in
      memory.levels.compactMap { key, level in
        guard wanted(key), level.sinceWall >= plan.since, level.sinceWall < plan.until,
          let name = registry.definition(key.meter)?.integral
        else { return nil }
        let quantity = level.integral(until: memory.bookTime).mebibyteSeconds
        var over = key
        over.meter = name
        return quantity == 0
          ? nil
          : SeriesTotal(
            key: over, bucket: level.sinceWall.floored(toSeconds: bucket.seconds),
            quantity: quantity)
      }
    }
  }
}
