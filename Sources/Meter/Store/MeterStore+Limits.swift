// SPDX-License-Identifier: Apache-2.0
import SQLite

extension MeterStore {
  /// Limits with the number of the change that made each.
  func limits() throws(SQLiteError) -> [(limit: AppLimit, revision: Int64)] {
    try connection.run(
      "SELECT app, subject, period, amount, action, warn_percent, revision FROM app_limit"
    ).compactMap { row in
      guard let app = row[0].string, let subject = row[1].string,
        let period = LimitPeriod(rawValue: row[2].string ?? ""), let amount = row[3].int,
        let action = LimitAction(rawValue: row[4].string ?? ""), let percent = row[5].int,
        let revision = row[6].int
      else { return nil }
      return (
        AppLimit(
          app: app, subject: subject, period: period, amount: amount, action: action,
          warnPercent: Int(percent)), revision
      )
    }
  }

  func save(_ limit: AppLimit, revision: Int64) throws(SQLiteError) {
    try connection.run(
      """
      INSERT INTO app_limit VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        amount = excluded.amount, action = excluded.action,
        warn_percent = excluded.warn_percent, revision = excluded.revision
      """,
      .text(limit.app), .text(limit.subject), .text(limit.period.rawValue),
      .integer(limit.amount), .text(limit.action.rawValue), .integer(Int64(limit.warnPercent)),
      .integer(revision))
  }

  func remove(_ key: LimitKey) throws(SQLiteError) -> Bool {
    try connection.run(
      "DELETE FROM app_limit WHERE app = ? AND subject = ? AND period = ?", .text(key.app),
      .text(key.subject), .text(key.period.rawValue))
    return connection.changes > 0
  }
}
