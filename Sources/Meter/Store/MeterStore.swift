// SPDX-License-Identifier: Apache-2.0
import SQLite

/// `meter.sqlite`: lines, rollups, levels, marks, events, prices and limits. Blocking; belongs to one
/// caller at a time (the book holds it under a lock).
final class MeterStore {
  static let fileName = "meter.sqlite"
  /// LIMIT: events kept, newest first.
  static let eventsMax: Int64 = 10_000

  let connection: SQLiteConnection
  private var series: [SeriesKey: Int64] = [:]
  private var keys: [Int64: SeriesKey] = [:]

  init(path: String) throws(MeterError) {
    connection = try MeterSchema.open(
      path: path, applicationID: MeterSchema.applicationID, version: MeterSchema.version,
      script: MeterSchema.script)
    let rows = try attempt { () throws(SQLiteError) in
      try connection.run("SELECT id, app, meter, label, source FROM series")
    }
    for row in rows {
      guard let id = row[0].int, let app = row[1].string, let meter = row[2].string,
        let label = row[3].string, let source = SampleSource(rawValue: row[4].string ?? "")
      else { continue }
      remember(SeriesKey(app: app, meter: meter, label: label, source: source), id)
    }
  }

  /// Runs statements, naming the file in what goes wrong.
  func attempt<Result>(_ body: () throws(SQLiteError) -> Result) throws(MeterError) -> Result {
    do {
      return try body()
    } catch {
      throw MeterError(error, file: Self.fileName)
    }
  }

  /// One write transaction: all of it or nothing.
  func transaction<Result>(_ body: () throws(SQLiteError) -> Result) throws(MeterError) -> Result {
    do {
      return try connection.transaction(body)
    } catch let error as SQLiteError {
      // Series made inside it are gone with it.
      forgetSeries()
      throw MeterError(error, file: Self.fileName)
    } catch {
      throw .storage(file: Self.fileName, detail: "\(error)")
    }
  }

  // MARK: - Small values

  func state(_ name: String) throws(SQLiteError) -> Int64? {
    try connection.run("SELECT value FROM state WHERE name = ?", .text(name)).first?.first?.int
  }

  func setState(_ name: String, _ value: Int64) throws(SQLiteError) {
    try connection.run(
      "INSERT INTO state VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
      .text(name), .integer(value))
  }

  // MARK: - Series

  func key(_ id: Int64) -> SeriesKey? { keys[id] }

  func seriesIDs(where matches: (SeriesKey) -> Bool) -> [Int64] {
    keys.compactMap { matches($1) ? $0 : nil }
  }

  func seriesID(_ key: SeriesKey, peak: Bool) throws(SQLiteError) -> Int64 {
    if let id = series[key] { return id }
    let found = try connection.run(
      "SELECT id FROM series WHERE app = ? AND meter = ? AND label = ? AND source = ?",
      .text(key.app), .text(key.meter), .text(key.label), .text(key.source.rawValue))
    if let id = found.first?.first?.int {
      remember(key, id)
      return id
    }
    try connection.run(
      "INSERT INTO series (app, meter, label, source, peak) VALUES (?, ?, ?, ?, ?)",
      .text(key.app), .text(key.meter), .text(key.label), .text(key.source.rawValue),
      .integer(peak ? 1 : 0))
    remember(key, connection.lastInsertRowID)
    return connection.lastInsertRowID
  }

  private func remember(_ key: SeriesKey, _ id: Int64) {
    series[key] = id
    keys[id] = key
  }

  private func forgetSeries() {
    series = [:]
    // keys stay: an id that was rolled back is not in any table, so nothing looks it up.
  }

  // MARK: - Meters

  func save(_ definitions: [MeterDefinition]) throws(SQLiteError) {
    for meter in definitions {
      try connection.run(
        """
        INSERT INTO meter VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
          unit = excluded.unit, kind = excluded.kind, title = excluded.title,
          label = excluded.label, ledger = excluded.ledger, integral = excluded.integral
        """,
        .text(meter.name), .text(meter.unit.rawValue), .text(meter.kind.rawValue),
        .text(meter.title), meter.label.map(SQLiteValue.text) ?? .null,
        meter.ledger.map { .integer(Int64($0)) } ?? .null,
        meter.integral.map(SQLiteValue.text) ?? .null)
    }
  }

  func definitions() throws(SQLiteError) -> [String: MeterDefinition] {
    var found: [String: MeterDefinition] = [:]
    for row in try connection.run(
      "SELECT name, unit, kind, title, label, ledger, integral FROM meter")
    {
      guard let name = row[0].string, let unit = MeterUnit(rawValue: row[1].string ?? ""),
        let kind = MeterKind(rawValue: row[2].string ?? ""), let title = row[3].string
      else { continue }
      found[name] = MeterDefinition(
        name: name, unit: unit, kind: kind, title: title, label: row[4].string,
        ledger: row[5].int.map { UInt32(truncatingIfNeeded: $0) }, integral: row[6].string)
    }
    return found
  }

  // MARK: - Events and gaps

  func append(_ events: [MeterEvent]) throws(SQLiteError) {
    guard !events.isEmpty else { return }
    for event in events {
      try connection.run(
        "INSERT INTO event (at, kind, app, detail) VALUES (?, ?, ?, ?)",
        .integer(event.at.microseconds), .text(event.kind.rawValue),
        event.app.map(SQLiteValue.text) ?? .null, .text(event.detail))
    }
    try connection.run(
      "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", .integer(Self.eventsMax))
  }

  func events(since: WallTime, until: WallTime, limit: Int) throws(SQLiteError) -> [MeterEvent] {
    try connection.run(
      """
      SELECT at, kind, app, detail FROM event WHERE at >= ? AND at < ? ORDER BY id DESC LIMIT ?
      """,
      .integer(since.microseconds), .integer(until.microseconds), .integer(Int64(limit))
    ).reversed().compactMap { row in
      guard let at = row[0].int, let kind = MeterEvent.Kind(rawValue: row[1].string ?? ""),
        let detail = row[3].string
      else { return nil }
      return MeterEvent(
        at: WallTime(microseconds: at), kind: kind, app: row[2].string, detail: detail)
    }
  }

  func append(_ gap: MeterGap) throws(SQLiteError) {
    try connection.run(
      "INSERT INTO gap (start, finish, reason) VALUES (?, ?, ?)", .integer(gap.start.microseconds),
      .integer(gap.end.microseconds), .text(gap.reason.rawValue))
  }

  func gaps(since: WallTime, until: WallTime) throws(SQLiteError) -> [MeterGap] {
    try connection.run(
      "SELECT start, finish, reason FROM gap WHERE finish > ? AND start < ? ORDER BY start",
      .integer(since.microseconds), .integer(until.microseconds)
    ).compactMap { row in
      guard let start = row[0].int, let end = row[1].int,
        let reason = MeterGap.Reason(rawValue: row[2].string ?? "")
      else { return nil }
      return MeterGap(
        start: WallTime(microseconds: start), end: WallTime(microseconds: end), reason: reason)
    }
  }
}
