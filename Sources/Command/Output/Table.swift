// SPDX-License-Identifier: Apache-2.0

/// Rows in aligned columns.
package struct Table {
  package enum Alignment { case left, right }

  private let headers: [String]
  private let alignments: [Alignment]
  private var rows: [[Cell]] = []

  /// A text and how it is decorated; only the text counts for the width.
  package struct Cell: ExpressibleByStringLiteral {
    package var text: String
    var decorate: (String) -> String = { $0 }

    package init(_ text: String, _ decorate: @escaping (String) -> String = { $0 }) {
      self.text = text
      self.decorate = decorate
    }
    package init(stringLiteral value: String) { self.init(value) }
  }

  package init(_ columns: [(String, Alignment)]) {
    headers = columns.map(\.0)
    alignments = columns.map(\.1)
  }

  package mutating func add(_ cells: [Cell]) {
    precondition(cells.count == headers.count, "a row with other columns than its table")
    rows.append(cells)
  }

  /// The last column is never padded, so that no line ends in spaces.
  package func text(style: Style) -> String {
    let widths = headers.indices.map { column in
      ([headers[column]] + rows.map { $0[column].text }).map(Self.width).max() ?? 0
    }
    let head = headers.map { Cell($0, style.bold) }
    return ([head] + rows).map { line($0, widths) + "\n" }.joined()
  }

  private func line(_ cells: [Cell], _ widths: [Int]) -> String {
    let last = cells.count - 1
    var line = cells.indices.map { column in
      let cell = cells[column]
      let padding = String(repeating: " ", count: widths[column] - Self.width(cell.text))
      let text = cell.text.isEmpty ? "" : cell.decorate(cell.text)
      return alignments[column] == .right ? padding + text : column == last ? text : text + padding
    }.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return line
  }

  /// Cells of a terminal: two for East Asian wide characters and most emoji, none for combining marks, which a
  /// `Character` holds already.
  package static func width(_ text: String) -> Int {
    text.reduce(0) { $0 + ($1.isWide ? 2 : 1) }
  }
}

extension Character {
  fileprivate var isWide: Bool {
    guard let first = unicodeScalars.first else { return false }
    switch first.value {
    case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff,
      0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
      return true
    default: return false
    }
  }
}
