// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// One row, by column name or position.
public struct SQLRow: Sendable {
  public let columns: [String]
  public let values: [SQLValue]

  /// The value as it is; null for a column that the row has not.
  public subscript(_ column: String) -> SQLValue {
    columns.firstIndex(of: column).map { values[$0] } ?? .null
  }
  public subscript(_ index: Int) -> SQLValue { values[index] }

  /// An INTEGER. Throws `unexpectedAnswer` for any other value, NULL included, and for a column that the row has not;
  /// so do the three below. Where NULL may be, `row["column"]` has it.
  public func int(_ column: String) throws(GuestError) -> Int64 {
    guard case .integer(let value) = try value(column) else { throw mismatch(column, "INTEGER") }
    return value
  }

  /// A REAL, or an INTEGER as one.
  public func real(_ column: String) throws(GuestError) -> Double {
    switch try value(column) {
    case .real(let value): return value
    case .integer(let value): return Double(value)
    default: throw mismatch(column, "REAL")
    }
  }

  public func text(_ column: String) throws(GuestError) -> String {
    guard case .text(let value) = try value(column) else { throw mismatch(column, "TEXT") }
    return value
  }

  public func blob(_ column: String) throws(GuestError) -> [UInt8] {
    guard case .blob(let value) = try value(column) else { throw mismatch(column, "BLOB") }
    return value
  }

  private func value(_ column: String) throws(GuestError) -> SQLValue {
    guard let index = columns.firstIndex(of: column) else {
      throw .unexpectedAnswer(
        "the row has no column \"\(column)\"; it has \(columns.joined(separator: ", "))")
    }
    return values[index]
  }

  private func mismatch(_ column: String, _ wanted: String) -> GuestError {
    .unexpectedAnswer("column \"\(column)\" holds \(self[column].typeName), not \(wanted)")
  }
}

extension SQLRow {
  /// `{"columns", "rows"}` of an answer.
  static func rows(of result: JSONValue, body: [UInt8]) throws(GuestError) -> [SQLRow] {
    guard let columns = result["columns"]?.array?.compactMap(\.string),
      let rows = result["rows"]?.array
    else { throw .unexpectedAnswer("an answer without columns and rows") }
    var out: [SQLRow] = []
    out.reserveCapacity(rows.count)
    for row in rows {
      var values: [SQLValue] = []
      for value in row.array ?? [] { values.append(try SQLValue(json: value, body: body)) }
      guard values.count == columns.count else {
        throw .unexpectedAnswer("a row of \(values.count) values, \(columns.count) columns")
      }
      out.append(SQLRow(columns: columns, values: values))
    }
    return out
  }
}

extension SQLValue {
  /// The storage class as SQLite names it.
  var typeName: String {
    switch self {
    case .null: "NULL"
    case .integer: "INTEGER"
    case .real: "REAL"
    case .text: "TEXT"
    case .blob: "BLOB"
    }
  }
}
