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
  /// - Throws: `tooMany` past `max` sums.
  func totals(
    _ plan: QueryPlan, rows bucket: Bucket?, max: Int = .max, where matches: (SeriesKey) -> Bool,
    isPeak: (String) -> Bool
  ) throws(MeterError) -> [SeriesTotal] {
    let found = try attempt { () throws(SQLiteError) -> [SeriesTotal]? in
      let wanted = seriesIDs(where: matches).sorted()
      var sums = SeriesSums(
        wanted: Set(wanted), peaks: Set(seriesIDs { isPeak($0.meter) }), bucket: bucket, max: max)
      for segment in plan.segments {
        if segment.bucket == .minute {
          try collect("rollup_minute", segment.start, segment.end, &sums)
        } else {
          try collect(segment, wanted, &sums)
        }
      }
      try collect("line", plan.since, plan.until, &sums)
      return sums.isFull ? nil : sums.totals(key)
    }
    guard let found else {
      let what = "sums by hour or day for one report; ask for one app or a shorter time"
      throw .tooMany(what: what, max: max)
    }
    return found
  }

  /// Tables that are ordered by time: everything in a stretch of it.
  private func collect(
    _ table: String, _ start: WallTime, _ end: WallTime, _ sums: inout SeriesSums
  ) throws(SQLiteError) {
    let statement = try connection.prepare(
      "SELECT start, series, quantity FROM \(table) WHERE start >= ? AND start < ?")
    try statement.bind(integer: start.microseconds, at: 1)
    try statement.bind(integer: end.microseconds, at: 2)
    while !sums.isFull, try statement.step() {
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
      while !sums.isFull, try statement.step() {
        sums.add(id, statement.integer(0), statement.integer(1))
      }
    }
  }
}

/// Adds up as rows are read. Rows of one series come together and nearly in order, so that a sum is either the one at
/// hand or a new one at the end; the few that come late are sorted in once, when all are read.
private struct SeriesSums {
  let wanted: Set<Int64>
  let peaks: Set<Int64>
  let bucket: Bucket?
  private struct Sum {
    var start: Int64
    var quantity: Int64
  }
  private let max: Int
  private var sums: [Int64: [Sum]] = [:]
  private var current: (id: Int64, sum: Sum)?
  private var count = 0
  /// More than `max`: what is read from here on would only fill the memory.
  var isFull: Bool { count > max }

  init(wanted: Set<Int64>, peaks: Set<Int64>, bucket: Bucket?, max: Int) {
    self.max = max
    self.wanted = wanted
    self.peaks = peaks
    self.bucket = bucket
  }

  mutating func add(_ id: Int64, _ start: Int64, _ quantity: Int64) {
    let size = bucket?.microseconds ?? .max
    let place = bucket == nil ? 0 : floorDivide(start, size) * size
    if let at = current, at.id == id, at.sum.start == place {
      current = (id, Sum(start: place, quantity: combine(id, at.sum.quantity, quantity)))
      return
    }
    settle()
    if wanted.contains(id) { current = (id, Sum(start: place, quantity: quantity)) }
  }

  private func combine(_ id: Int64, _ left: Int64, _ right: Int64) -> Int64 {
    if peaks.contains(id) { return Swift.max(left, right) }
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
  }

  private mutating func settle() {
    guard let (id, sum) = current else { return }
    current = nil
    count += 1
    sums[id, default: []].append(sum)
  }

  /// Series by series, each in the order of time.
  mutating func totals(_ key: (Int64) -> SeriesKey?) -> [SeriesTotal] {
    settle()
    var found: [SeriesTotal] = []
    found.reserveCapacity(sums.values.reduce(0) { $0 + $1.count })
    for (id, all) in sums {
      guard let key = key(id) else { continue }
      for sum in ordered(all, id) {
        found.append(
          SeriesTotal(
            key: key, bucket: bucket == nil ? nil : WallTime(microseconds: sum.start),
            quantity: sum.quantity))
      }
    }
    return found
  }

  private func ordered(_ all: [Sum], _ id: Int64) -> [Sum] {
    let isOrdered = zip(all, all.dropFirst()).allSatisfy { $0.start < $1.start }
    if isOrdered { return all }
    var merged: [Sum] = []
    for sum in all.sorted(by: { $0.start < $1.start }) {
      if let last = merged.last, last.start == sum.start {
        merged[merged.count - 1].quantity = combine(id, last.quantity, sum.quantity)
      } else {
        merged.append(sum)
      }
    }
    return merged
  }
}
