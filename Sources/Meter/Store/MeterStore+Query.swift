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
      var sums: [Int64: [Int64: Int64]] = [:]
      let wanted = Set(seriesIDs(where: matches))
      let peaks = Set(seriesIDs { isPeak($0.meter) })
      for segment in plan.segments {
        try collect(
          "FROM \(segment.bucket.table) WHERE start >= ? AND start < ?", segment.start, segment.end,
          bucket, wanted, peaks, &sums)
      }
      try collect(
        "FROM line WHERE start >= ? AND start < ?", plan.since, plan.until, bucket, wanted, peaks,
        &sums)
      return sums.flatMap { id, buckets in
        guard let key = key(id) else { return [SeriesTotal]() }
        return buckets.map { start, quantity in
          SeriesTotal(
            key: key, bucket: bucket == nil ? nil : WallTime(microseconds: start),
            quantity: quantity)
        }
      }
    }
  }

  private func collect(
    _ source: String, _ start: WallTime, _ end: WallTime, _ bucket: Bucket?, _ wanted: Set<Int64>,
    _ peaks: Set<Int64>, _ sums: inout [Int64: [Int64: Int64]]
  ) throws(SQLiteError) {
    // A few series are worth naming to SQLite; many are cheaper to skip here.
    let few = wanted.count <= 64
    let filter = few ? " AND series IN (\(wanted.map(String.init).joined(separator: ",")))" : ""
    let group = bucket.map { "start / \($0.microseconds) * \($0.microseconds)" } ?? "0"
    let statement = try connection.prepare(
      "SELECT \(group), series, sum(quantity), max(quantity) \(source)\(filter) GROUP BY 1, 2")
    try statement.bind([.integer(start.microseconds), .integer(end.microseconds)])
    while try statement.step() {
      guard let bucketStart = statement[0].int, let id = statement[1].int, wanted.contains(id),
        let sum = statement[2].int, let highest = statement[3].int
      else { continue }
      let old = sums[id]?[bucketStart] ?? 0
      sums[id, default: [:]][bucketStart] =
        peaks.contains(id) ? max(old, highest) : Int64(clamping: Int128(old) + Int128(sum))
    }
  }
}
