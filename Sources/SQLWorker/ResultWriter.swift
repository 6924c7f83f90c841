// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI
import SQLEngine

/// What a statement changed.
struct ChangeCount {
  var changes: Int
  var lastInsertRowID: Int64

  static func counting(
    _ connection: GuardedConnection, _ body: () throws(HostError) -> Void
  ) throws(HostError) -> ChangeCount {
    let before = sqlite3_total_changes64(connection.handle)
    try body()
    // `sqlite3_changes` keeps the count of the last INSERT, UPDATE or DELETE; this statement may be none.
    let isChanged = sqlite3_total_changes64(connection.handle) != before
    return ChangeCount(
      changes: isChanged ? Int(sqlite3_changes64(connection.handle)) : 0,
      lastInsertRowID: sqlite3_last_insert_rowid(connection.handle))
  }

  /// The members, without braces.
  func write(to writer: inout JSONWriter, safeIntegers: Bool) {
    writer.raw("\"changes\":")
    writer.int(Int64(changes))
    writer.raw(",\"lastInsertRowId\":")
    if safeIntegers, lastInsertRowID.magnitude > UInt64(FrameLimits.numberMax) {
      writer.raw("{\"int\":\"")
      writer.int(lastInsertRowID)
      writer.raw("\"}")
    } else {
      writer.int(lastInsertRowID)
    }
  }
}

/// Writes a statement's whole result into one frame, or refuses when it does not fit.
struct ResultWriter {
  var rows: RowWriter
  private let limits = FrameLimits()
  /// Room for what the frame's JSON holds besides the result.
  private static let margin = 512

  init(rows: RowWriter) { self.rows = rows }

  /// Appends `{"columns":[…],"rows":[…]}`, with the changes if the statement writes. Gives the number of rows.
  func write(
    _ statement: PreparedStatement, on connection: GuardedConnection, to frame: inout ReplyFrame
  ) throws(HostError) -> Int {
    var count = 0
    var values = 0
    let jsonMax = limits.jsonBytes - Self.margin
    let valuesMax = limits.json.values - 64
    let changes = try ChangeCount.counting(connection) { () throws(HostError) in
      var hasRow = try connection.step(statement)
      let columns = statement.columnCount
      frame.writer.raw("{\"columns\":")
      frame.writer.raw(statement.columns())
      frame.writer.raw(",\"rows\":[")
      while hasRow {
        if count > 0 { frame.writer.raw(",") }
        rows.write(statement, columns: columns, to: &frame)
        count += 1
        // Tagged values are objects of up to four values.
        values += 1 + columns
        guard frame.jsonBytes <= jsonMax, frame.totalBytes <= limits.frameBytes - Self.margin,
          values <= valuesMax
        else {
          throw SQLFailure.tooLarge(
            "the result does not fit one frame (row \(count) passes \(limits.jsonBytes) bytes of JSON, "
              + "\(limits.frameBytes) in all or \(limits.json.values) values)")
        }
        hasRow = try connection.step(statement)
      }
      frame.writer.raw("]")
    }
    if !statement.isReadOnly {
      frame.writer.raw(",")
      changes.write(to: &frame.writer, safeIntegers: rows.safeIntegers)
    }
    frame.writer.raw("}")
    return count
  }
}
