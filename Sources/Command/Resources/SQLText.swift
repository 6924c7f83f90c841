// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI

/// Rows of SQL as text.
package enum SQLText {
  /// One object a row; of two columns of one name the last wins, so name them apart.
  package static func objects(_ result: SQLResult) -> [JSONValue] {
    result.rows.map { row in
      var object = JSONObject()
      for (column, value) in zip(result.columns, row) { object[column] = value }
      return .object(object)
    }
  }

  package static func table(_ result: SQLResult) -> Table {
    let numeric = result.columns.indices.map { column in
      result.rows.contains { $0[column].number != nil }
        && result.rows.allSatisfy { $0[column].number != nil || $0[column].isNull }
    }
    var table = Table(
      zip(result.columns, numeric).map { (Printer.harmless($0), $1 ? .right : .left) })
    for row in result.rows {
      table.add(row.map { .init(Printer.harmless(text($0, null: "NULL"))) })
    }
    return table
  }

  /// RFC 4180: lines end in CRLF; NULL is an empty field, an empty text is `""`.
  package static func csv(_ result: SQLResult) -> String {
    ([result.columns.map(field)]
      + result.rows.map { row in row.map { $0.isNull ? "" : field(text($0, null: "")) } })
      .map { $0.joined(separator: ",") + "\r\n" }.joined()
  }

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
