// SPDX-License-Identifier: Apache-2.0

/// Columns of text, aligned. Pure.
struct TextTable {
  struct Column {
    var title: String
    var isNumber = false
  }

  var columns: [Column]
  var rows: [[String]] = []
  /// Set apart from the rows by a line.
  var footer: [String]?

  func text() -> String {
    let all = [columns.map(\.title)] + rows + (footer.map { [$0] } ?? [])
    let widths = columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    var lines = [line(columns.map(\.title), widths)]
    lines += rows.map { line($0, widths) }
    if let footer {
      lines.append(String(repeating: "─", count: widths.reduce(0, +) + 2 * (widths.count - 1)))
      lines.append(line(footer, widths))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var text = ""
    for (index, cell) in cells.enumerated() {
      let space = String(repeating: " ", count: max(0, widths[index] - cell.count))
      text += (index > 0 ? "  " : "") + (columns[index].isNumber ? space + cell : cell + space)
    }
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }

  /// What a guest could name goes to a terminal without control characters, and not too long.
  static func safe(_ text: String, max: Int = 48) -> String {
    let shown = String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
            "?"
          default: scalar
          }
        }))
    return shown.count <= max ? shown : String(shown.prefix(max - 1)) + "…"
  }

  /// A bar of eighths of a character, `width` characters at `most`.
  static func bar(_ value: Int64, of most: Int64, width: Int) -> String {
    guard most > 0, value > 0 else { return "" }
    let eighths = Int(Double(value) / Double(most) * Double(width) * 8)
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    let bar = String(repeating: "█", count: eighths / 8) + part
    return bar.isEmpty ? "▏" : bar
  }

  /// One character a value, `width` at most: neighbours are added up.
  static func sparkline(_ values: [Int64], width: Int) -> String {
    guard !values.isEmpty, width > 0 else { return "" }
    let size = (values.count + width - 1) / width
    let sums = stride(from: 0, to: values.count, by: size).map { start in
      values[start..<min(start + size, values.count)].reduce(0, +)
    }
    let most = sums.max() ?? 0
    let levels = Array("▁▂▃▄▅▆▇█")
    return String(
      sums.map { value in
        guard most > 0, value > 0 else { return " " }
        return levels[min(7, Int(Double(value) / Double(most) * 7.999))]
      })
  }
}
