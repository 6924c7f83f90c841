// SPDX-License-Identifier: Apache-2.0
import SQLite

/// A sum (or highest value) of one series over one row of a report.
struct SeriesTotal: Sendable, Equatable {
  var key: SeriesKey
  /// Start of the hour or day; nil where the query has no such rows.
  var bucket: WallTime?
  var quantity: Int64
}

extension MeterStore {
  /// Sums over `[plan.since, plan.until)`, per series and, if asked, per hour or day.
  func totals(
    _ plan: QueryPlan, rows bucket: Bucket?, where matches: (SeriesKey) -> Bool,
    isPeak: (String) -> Bool
  ) throws(MeterError) -> [SeriesTotal] {
    try attempt { () throws(SQLiteError) in
      let wanted = seriesIDs(where: matches).sorted()
      var sums = SeriesSums(
        wanted: Set(wanted), peaks: Set(seriesIDs { isPeak($0.meter) }), bucket: bucket)
      for segment in plan.segments {
        if segment.bucket == .minute {
          try collect("rollup_minute", segment.start, segment.end, &sums)
        } else {
          try collect(segment, wanted, &sums)
        }
      }
      try collect("line", plan.since, plan.until, &sums)
      return sums.totals(key)
    }
  }

  /// Tables that are ordered by time: everything in a stretch of it.
  private func collect(
    _ table: String, _ start: WallTime, _ end: WallTime, _ sums: inout SeriesSums
  ) throws(SQLiteError) {
    let statement = try connection.prepare(
      "SELECT start, series, quantity FROM \(table) WHERE start >= ? AND start < ?")
    try statement.bind(integer: start.microseconds, at: 1)
    try statement.bind(integer: end.microseconds, at: 2)
    while try statement.step() {
      sums.add(statement.integer(1), statement.integer(0), statement.integer(2))
    }
  }

  /// Tables that are ordered by series: a stretch for each.
  private func collect(
    _ segment: QueryPlan.Segment, _ wanted: [Int64], _ sums: inout SeriesSums
  ) throws(SQLiteError) {
    let statement = try connection.prepare(
      """
      SELECT start, quantity FROM \(segment.bucket.table)
      WHERE series = ? AND start >= ? AND start < ?
      """)
    try statement.bind(integer: segment.start.microseconds, at: 2)
    try statement.bind(integer: segment.end.microseconds, at: 3)
    for id in wanted {
      statement.reset()
      try statement.bind(integer: id, at: 1)
      while try statement.step() { sums.add(id, statement.integer(0), statement.integer(1)) }
    }
  }
}

/// Adds up as rows are read. Rows of one series come together and in order, so most are added to the
/// sum at hand.
private struct SeriesSums {
  let wanted: Set<Int64>
  let peaks: Set<Int64>
  let bucket: Bucket?
  private var sums: [Int64: [Int64: Int64]] = [:]
  private var current: (id: Int64, bucket: Int64, sum: Int64)?

  init(wanted: Set<Int64>, peaks: Set<Int64>, bucket: Bucket?) {
    self.wanted = wanted
    self.peaks = peaks
    self.bucket = bucket
  }

  mutating func add(_ id: Int64, _ start: Int64, _ quantity: Int64) {
    let size = bucket?.microseconds ?? .max
    let place = bucket == nil ? 0 : floorDivide(start, size) * size
    if let at = current, at.id == id, at.bucket == place {
      let sum = combine(id, at.sum, quantity)
      current = (id, place, sum)
      return
    }
    settle()
    if wanted.contains(id) { current = (id, place, quantity) }
  }

  private func combine(_ id: Int64, _ left: Int64, _ right: Int64) -> Int64 {
    if peaks.contains(id) { return max(left, right) }
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
  }

  private mutating func settle() {
    guard let (id, place, sum) = current else { return }
    current = nil
    if let old = sums[id]?[place] {
      let both = combine(id, old, sum)
      sums[id]?[place] = both
    } else {
      sums[id, default: [:]][place] = sum
    }
  }

  mutating func totals(_ key: (Int64) -> SeriesKey?) -> [SeriesTotal] {
    settle()
    var found: [SeriesTotal] = []
    for (id, buckets) in sums {
      guard let key = key(id) else { continue }
      for (start, quantity) in buckets {
        found.append(
          SeriesTotal(
            key: key, bucket: bucket == nil ? nil : WallTime(microseconds: start),
            quantity: quantity))
      }
    }
    return found
  }
}
