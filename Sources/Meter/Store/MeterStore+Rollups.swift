// SPDX-License-Identifier: Apache-2.0
import SQLite

/// Which times each rollup covers.
package struct RollupMarks: Sendable, Equatable {
  package var until: [Bucket: WallTime] = [:]
  package var from: [Bucket: WallTime] = [:]

  package init() {}

  package func until(_ bucket: Bucket) -> WallTime { until[bucket] ?? .distantPast }
  func from(_ bucket: Bucket) -> WallTime { from[bucket] ?? .distantPast }
}

extension MeterStore {
  func rollupMarks() throws(SQLiteError) -> RollupMarks {
    var marks = RollupMarks()
    for bucket in Bucket.allCases {
      marks.until[bucket] = try state(bucket.untilName).map(WallTime.init(microseconds:))
      marks.from[bucket] = try state(bucket.fromName).map(WallTime.init(microseconds:))
    }
    return marks
  }

  /// Moves posted lines of finished minutes into the rollups and removes what its retention ends.
  /// One transaction: a quantity is in `line` or in the rollups, never in both and never in neither.
  ///
  /// Lines older than a rollup's mark (the clock went back, or the ledger was behind) are added to
  /// that rollup too, so each keeps all of its past.
  func rollUp(now: WallTime, posted sequence: Int64, retention: Retention) throws(MeterError) {
    try transaction { () throws(SQLiteError) in
      var marks = try rollupMarks()
      let cutoff = now.floored(toSeconds: 60)
      for bucket in Bucket.allCases {
        let below = bucket == .minute ? cutoff : min(cutoff, marks.until(bucket))
        try add(linesBelow: below, posted: sequence, into: bucket)
      }
      try connection.run(
        "DELETE FROM line WHERE sequence <= ? AND start < ?", .integer(sequence),
        .integer(cutoff.microseconds))
      marks.until[.minute] = max(cutoff, marks.until(.minute))
      for bucket in [Bucket.minute, .hour] { try close(bucket, &marks) }
      try expire(now: now, retention, &marks)
      for bucket in Bucket.allCases {
        if let until = marks.until[bucket] { try setState(bucket.untilName, until.microseconds) }
        if let from = marks.from[bucket] { try setState(bucket.fromName, from.microseconds) }
      }
    }
  }

  private func add(
    linesBelow limit: WallTime, posted sequence: Int64, into bucket: Bucket
  ) throws(SQLiteError) {
    guard limit.microseconds > 0 else { return }
    try connection.run(
      """
      INSERT INTO \(bucket.table) (start, series, quantity)
      SELECT line.start / ?1 * ?1 AS bucket, line.series,
        iif(series.peak, max(quantity), sum(quantity))
      FROM line JOIN series ON series.id = line.series
      WHERE line.sequence <= ?2 AND line.start < ?3 GROUP BY bucket, line.series
      \(combine(bucket))
      """,
      .integer(bucket.microseconds), .integer(sequence), .integer(limit.microseconds))
  }

  /// Copies every finished bucket of the next size from this one.
  private func close(_ bucket: Bucket, _ marks: inout RollupMarks) throws(SQLiteError) {
    guard let coarser = bucket.coarser else { return }
    let end = marks.until(bucket).floored(toSeconds: coarser.seconds)
    let start = marks.until(coarser)
    guard end > start else { return }
    try connection.run(
      """
      INSERT INTO \(coarser.table) (start, series, quantity)
      SELECT fine.start / ?1 * ?1 AS bucket, fine.series,
        iif(series.peak, max(quantity), sum(quantity))
      FROM \(bucket == .minute ? "\(bucket.table) AS fine JOIN" : "") series
        \(bucket == .minute ? "" : "CROSS JOIN \(bucket.table) AS fine") ON series.id = fine.series
      WHERE fine.start >= ?2 AND fine.start < ?3 GROUP BY bucket, fine.series
      \(combine(coarser))
      """,
      .integer(coarser.microseconds), .integer(start.microseconds), .integer(end.microseconds))
    marks.until[coarser] = end
  }

  private func combine(_ bucket: Bucket) -> String {
    """
    ON CONFLICT DO UPDATE SET quantity = iif(
      (SELECT peak FROM series WHERE id = excluded.series),
      max(\(bucket.table).quantity, excluded.quantity),
      \(bucket.table).quantity + excluded.quantity)
    """
  }

  private func expire(
    now: WallTime, _ retention: Retention, _ marks: inout RollupMarks
  ) throws(SQLiteError) {
    for (bucket, kept) in [
      (Bucket.minute, retention.minutes), (.hour, retention.hours), (.day, retention.days),
    ] {
      guard let kept else { continue }
      // Cut at a boundary of the next size, and only what that one holds already.
      let coarser = bucket.coarser ?? .day
      var limit = WallTime(seconds: now.seconds - kept).floored(toSeconds: coarser.seconds)
      if let next = bucket.coarser { limit = min(limit, marks.until(next)) }
      guard limit > marks.from(bucket), limit.microseconds > 0 else { continue }
      let wherever = bucket == .minute ? "" : "series IN (SELECT id FROM series) AND "
      try connection.run(
        "DELETE FROM \(bucket.table) WHERE \(wherever)start < ?", .integer(limit.microseconds))
      marks.from[bucket] = limit
    }
  }
}
