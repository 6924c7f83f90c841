// SPDX-License-Identifier: Apache-2.0
import SQLite

/// The tables of `meter.sqlite`. Times are microseconds since 1970 (UTC).
enum MeterSchema {
  /// "BkMt": tells our file from another program's.
  static let applicationID: Int64 = 0x426B_4D74
  static let version: Int64 = 1

  /// Opens a file of ours, or makes one. A newer file and a foreign file are refused untouched.
  static func open(
    path: String, applicationID: Int64, version: Int64, script: String, readOnly: Bool = false
  ) throws(MeterError) -> SQLiteConnection {
    let file = String(path.split(separator: "/").last ?? "")
    do {
      let connection = try SQLiteConnection(
        path: path, options: .init(readOnly: readOnly, create: !readOnly))
      let mark = try connection.run("PRAGMA application_id").first?.first?.int ?? 0
      let found = try connection.run("PRAGMA user_version").first?.first?.int ?? 0
      let tables = try connection.run("SELECT count(*) FROM sqlite_schema").first?.first?.int ?? 0
      guard mark == applicationID || (mark == 0 && tables == 0) else {
        throw MeterError.foreignFile(file: file)
      }
      guard found <= version else {
        throw MeterError.newerFile(file: file, version: found, supported: version)
      }
      if readOnly { return connection }
      try connection.useWriteAheadLog()
      if found == 0 {
        try connection.transaction { () throws(SQLiteError) in
          try connection.script(script)
          try connection.script(
            "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
        }
      }
      return connection
    } catch let error as SQLiteError {
      throw MeterError(error, file: file)
    } catch let error as MeterError {
      throw error
    } catch {
      throw .storage(file: file, detail: "\(error)")
    }
  }

  static let script = """
    CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    -- What the meters mean, so that a report can name a meter whose broker is gone.
    CREATE TABLE meter (
      name TEXT PRIMARY KEY, unit TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
      label TEXT, ledger INTEGER, integral TEXT) STRICT, WITHOUT ROWID;

    CREATE TABLE series (
      id INTEGER PRIMARY KEY, app TEXT NOT NULL, meter TEXT NOT NULL, label TEXT NOT NULL,
      source TEXT NOT NULL, peak INTEGER NOT NULL, UNIQUE (app, meter, label, source)) STRICT;

    -- Intervals as measured. A line moves to rollup_minute when its minute is over and it is posted.
    CREATE TABLE line (
      start INTEGER NOT NULL, series INTEGER NOT NULL, sequence INTEGER NOT NULL,
      finish INTEGER NOT NULL, quantity INTEGER NOT NULL,
      PRIMARY KEY (start, series, sequence)) STRICT, WITHOUT ROWID;
    CREATE INDEX line_sequence ON line (sequence);

    -- Each of these holds all of the past up to its own mark in state (minute_until, …), less what
    -- its retention removed. start is the first microsecond of the bucket. Minutes are read by time;
    -- hours and days by series, so that a year of one app is a stretch of the file.
    CREATE TABLE rollup_minute (
      start INTEGER NOT NULL, series INTEGER NOT NULL, quantity INTEGER NOT NULL,
      PRIMARY KEY (start, series)) STRICT, WITHOUT ROWID;
    CREATE TABLE rollup_hour (
      start INTEGER NOT NULL, series INTEGER NOT NULL, quantity INTEGER NOT NULL,
      PRIMARY KEY (series, start)) STRICT, WITHOUT ROWID;
    CREATE TABLE rollup_day (
      start INTEGER NOT NULL, series INTEGER NOT NULL, quantity INTEGER NOT NULL,
      PRIMARY KEY (series, start)) STRICT, WITHOUT ROWID;

    -- A level since a moment of book time (nanoseconds the book was kept, over all runs).
    CREATE TABLE level (
      series INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, since INTEGER NOT NULL,
      since_wall INTEGER NOT NULL, remainder INTEGER NOT NULL) STRICT;

    CREATE TABLE mark (
      origin TEXT PRIMARY KEY, app TEXT NOT NULL, source TEXT NOT NULL, cpu_user INTEGER NOT NULL,
      cpu_system INTEGER NOT NULL, oom_kills INTEGER NOT NULL, process_limit_hits INTEGER NOT NULL,
      memory_peak INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE gap (
      id INTEGER PRIMARY KEY, start INTEGER NOT NULL, finish INTEGER NOT NULL,
      reason TEXT NOT NULL) STRICT;
    CREATE TABLE event (
      id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, app TEXT,
      detail TEXT NOT NULL) STRICT;

    CREATE TABLE price_version (
      number INTEGER PRIMARY KEY, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL,
      currency TEXT NOT NULL, title TEXT NOT NULL) STRICT;
    CREATE TABLE price (
      version INTEGER NOT NULL, sku TEXT NOT NULL, title TEXT NOT NULL, unit TEXT NOT NULL,
      per INTEGER NOT NULL, PRIMARY KEY (version, sku)) STRICT, WITHOUT ROWID;
    CREATE TABLE price_meter (
      version INTEGER NOT NULL, sku TEXT NOT NULL, meter TEXT NOT NULL,
      PRIMARY KEY (version, meter)) STRICT, WITHOUT ROWID;
    CREATE TABLE price_tier (
      version INTEGER NOT NULL, sku TEXT NOT NULL, above INTEGER NOT NULL, micros INTEGER NOT NULL,
      PRIMARY KEY (version, sku, above)) STRICT, WITHOUT ROWID;
    -- How far into its month's tiers an app is.
    CREATE TABLE spent (
      app TEXT NOT NULL, sku TEXT NOT NULL, month INTEGER NOT NULL, quantity INTEGER NOT NULL,
      PRIMARY KEY (app, sku)) STRICT, WITHOUT ROWID;

    CREATE TABLE app_limit (
      app TEXT NOT NULL, subject TEXT NOT NULL, period TEXT NOT NULL, amount INTEGER NOT NULL,
      action TEXT NOT NULL, warn_percent INTEGER NOT NULL, revision INTEGER NOT NULL,
      PRIMARY KEY (app, subject, period))
      STRICT, WITHOUT ROWID;
    """
}
