// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI

/// Rows of SQL as text.
package enum SQLText {
  /// A row as an object; of two columns of one name the last wins, so name them apart.
  package static func object(_ columns: [String], _ row: [JSONValue]) -> JSONValue {
    var object = JSONObject()
    for (column, value) in zip(columns, row) { object[column] = value }
    return .object(object)
  }

  package static func table(_ columns: [String], _ rows: [[JSONValue]]) -> Table {
    let numeric = columns.indices.map { column in
      rows.contains { $0[column].number != nil }
        && rows.allSatisfy { $0[column].number != nil || $0[column].isNull }
    }
    var table = Table(
      zip(columns, numeric).map { (Printer.harmless($0), $1 ? .right : .left) })
    for row in rows {
      table.add(row.map { .init(Printer.harmless(text($0, null: "NULL"))) })
    }
    return table
  }

  /// RFC 4180: lines end in CRLF; NULL is an empty field, an empty text is `""`.
  package static func csv(row: [JSONValue]) -> String {
    line(row.map { $0.isNull ? "" : field(text($0, null: "")) })
  }

  package static func csv(columns: [String]) -> String { line(columns.map(field)) }

  private static func line(_ fields: [String]) -> String { fields.joined(separator: ",") + "\r\n" }

  private static func field(_ text: String) -> String {
    let needsQuotes =
      text.isEmpty || text.utf8.contains { [0x22, 0x2c, 0x0a, 0x0d].contains($0) }
    guard needsQuotes else { return text }
    return "\""
      + text.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
  }

  package static func text(_ value: JSONValue, null: String) -> String {
    switch value {
    case .null: null
    case .bool(let value): value ? "1" : "0"
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .string(let text): text
    case .object(let object):
      object["real"]?.string ?? object["base64"]?.string.map { "base64:\($0)" } ?? value.text
    case .array: value.text
    }
  }
}
