// SPDX-License-Identifier: Apache-2.0
import SQLite

/// A level and since when it is held. `since` is book time: nanoseconds the book was kept, over all
/// runs of the host, so that time in which nothing was measured is not charged.
struct LevelState: Sendable, Equatable {
  var bytes: Int64
  var since: Int64
  var sinceWall: WallTime
  /// Byte·nanoseconds short of a whole MiB·s.
  var remainder: Int64

  /// MiB·s in byte·nanoseconds.
  static let mebibyteSecond: Int128 = 1_048_576 * 1_000_000_000

  /// Whole MiB·s held since `since`, and what is left over.
  func integral(until bookTime: Int64) -> (mebibyteSeconds: Int64, remainder: Int64) {
    let total = Int128(bytes) * Int128(max(0, bookTime - since)) + Int128(remainder)
    return (
      Int64(clamping: total / Self.mebibyteSecond), Int64(total % Self.mebibyteSecond)
    )
  }
}

/// All one tick writes, in one transaction.
struct TickWrite: Sendable {
  var sequence: Int64
  var wall: WallTime
  var bookTime: Int64
  var lines: [MeterLine]
  var marks: [String: CounterMark]
  var endedOrigins: Set<String>
  var levels: [SeriesKey: LevelState]
  var removedLevels: [SeriesKey]
  var positions: [Pricing.Item: Pricing.Position]
  var progress = MeterBook.LedgerProgress()
  var events: [MeterEvent]
}

extension MeterStore {
  func write(_ tick: TickWrite, isPeak: (String) -> Bool) throws(MeterError) {
    do {
      try transaction { () throws(SQLiteError) in
        try insert(tick.lines, sequence: tick.sequence, isPeak: isPeak)
        try save(marks: tick.marks, ended: tick.endedOrigins)
        for (key, level) in tick.levels { try save(level, key) }
        for key in tick.removedLevels {
          try connection.run(
            "DELETE FROM level WHERE series = ?", .integer(try seriesID(key, peak: false)))
        }
        try save(positions: tick.positions)
        try append(tick.events)
        try setState("sequence", tick.sequence)
        try setState("last_tick", tick.wall.microseconds)
        try setState("book_time", tick.bookTime)
        try setState("drained", tick.progress.drained)
        try setState("posted", tick.progress.posted)
        try setState("posting", tick.progress.posting)
      }
    } catch {
      // A commit can fail after it took effect. The sequence says which it was.
      guard (try? state("sequence")) == tick.sequence else { throw error }
    }
  }

  private func insert(
    _ lines: [MeterLine], sequence: Int64, isPeak: (String) -> Bool
  ) throws(SQLiteError) {
    for line in lines {
      let id = try seriesID(line.key, peak: isPeak(line.meter))
      try connection.run(
        "INSERT INTO line (start, series, sequence, finish, quantity) VALUES (?, ?, ?, ?, ?)",
        .integer(line.start.microseconds), .integer(id), .integer(sequence),
        .integer(line.end.microseconds), .integer(line.quantity))
    }
  }

  private func save(marks: [String: CounterMark], ended: Set<String>) throws(SQLiteError) {
    for (origin, mark) in marks where !ended.contains(origin) {
      try connection.run(
        """
        INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
          cpu_user = excluded.cpu_user, cpu_system = excluded.cpu_system,
          oom_kills = excluded.oom_kills, process_limit_hits = excluded.process_limit_hits,
          memory_peak = excluded.memory_peak
        """,
        .text(origin), .text(mark.app), .text(mark.source.rawValue), .integer(mark.cpuUser),
        .integer(mark.cpuSystem), .integer(mark.oomKills), .integer(mark.processLimitHits),
        .integer(mark.memoryPeak))
    }
    for origin in ended { try connection.run("DELETE FROM mark WHERE origin = ?", .text(origin)) }
  }

  private func save(_ level: LevelState, _ key: SeriesKey) throws(SQLiteError) {
    try connection.run(
      """
      INSERT INTO level VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes,
        since = excluded.since, since_wall = excluded.since_wall, remainder = excluded.remainder
      """,
      .integer(try seriesID(key, peak: false)), .integer(level.bytes), .integer(level.since),
      .integer(level.sinceWall.microseconds), .integer(level.remainder))
  }

  func marks() throws(SQLiteError) -> [String: CounterMark] {
    var marks: [String: CounterMark] = [:]
    for row in try connection.run(
      """
      SELECT origin, app, source, cpu_user, cpu_system, oom_kills, process_limit_hits, memory_peak
      FROM mark
      """)
    {
      guard let origin = row[0].string, let app = row[1].string,
        let source = SampleSource(rawValue: row[2].string ?? ""), let user = row[3].int,
        let system = row[4].int, let kills = row[5].int, let hits = row[6].int,
        let peak = row[7].int
      else { continue }
      marks[origin] = CounterMark(
        app: app, source: source, cpuUser: user, cpuSystem: system, oomKills: kills,
        processLimitHits: hits, memoryPeak: peak)
    }
    return marks
  }

  func levels() throws(SQLiteError) -> [SeriesKey: LevelState] {
    var levels: [SeriesKey: LevelState] = [:]
    for row in try connection.run("SELECT series, bytes, since, since_wall, remainder FROM level") {
      guard let id = row[0].int, let key = key(id), let bytes = row[1].int, let since = row[2].int,
        let wall = row[3].int, let remainder = row[4].int
      else { continue }
      levels[key] = LevelState(
        bytes: bytes, since: since, sinceWall: WallTime(microseconds: wall), remainder: remainder)
    }
    return levels
  }

  /// Lines of ticks after `sequence` and up to `last`, oldest first: what the ledger has not acknowledged.
  func lines(after sequence: Int64, through last: Int64, limit: Int) throws(SQLiteError) -> [(
    Int64, MeterLine
  )] {
    try connection.run(
      """
      SELECT sequence, start, finish, series, quantity FROM line
      WHERE sequence > ? AND sequence <= ? ORDER BY sequence, start, series LIMIT ?
      """,
      .integer(sequence), .integer(last), .integer(Int64(limit))
    ).compactMap { row in
      guard let sequence = row[0].int, let start = row[1].int, let end = row[2].int,
        let key = row[3].int.flatMap(key), let quantity = row[4].int
      else { return nil }
      return (
        sequence,
        MeterLine(
          key, quantity: quantity, start: WallTime(microseconds: start),
          end: WallTime(microseconds: end))
      )
    }
  }
}
