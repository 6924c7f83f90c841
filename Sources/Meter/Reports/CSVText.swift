// SPDX-License-Identifier: Apache-2.0

/// CSV as RFC 4180 has it: CRLF, quotes where needed.
enum CSVText {
  static func text(_ header: [String], _ rows: [[String]]) -> String {
    ([header] + rows).map { $0.map(cell).joined(separator: ",") + "\r\n" }.joined()
  }

  /// A guest chooses some texts, such as destinations. One that a spreadsheet would run as a formula
  /// gets an apostrophe before it.
  static func cell(_ value: String) -> String {
    var value = value
    if let first = value.first, "=+-@\t\r".contains(first), Int64(value) == nil {
      value = "'" + value
    }
    guard value.contains(where: { ",\"\n\r\r\n".contains($0) }) else { return value }
    return "\""
      + value.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
  }
}
