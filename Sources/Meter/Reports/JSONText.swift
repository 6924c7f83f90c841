// SPDX-License-Identifier: Apache-2.0

/// JSON with keys in the order they are given. Numbers are whole; decimals travel as strings, since
/// most readers would round them.
package indirect enum JSONText {
  case null
  case bool(Bool)
  case integer(Int64)
  case string(String)
  case array([JSONText])
  case object([(String, JSONText)])
  /// Text that is JSON already, its inner lines indented for its place; not empty.
  case written(String)

  package func text() -> String {
    var out = ""
    write(&out, indent: 0)
    return out + "\n"
  }

  private func write(_ out: inout String, indent: Int) {
    var inner: String { String(repeating: "  ", count: indent + 1) }
    var outer: String { String(repeating: "  ", count: indent) }
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .integer(let value): out += String(value)
    case .string(let value): Self.quote(value, into: &out)
    case .written(let text): out += text
    case .array(let items):
      guard !items.isEmpty else {
        out += "[]"
        return
      }
      out += "[\n"
      let indentation = inner
      for (index, item) in items.enumerated() {
        out += indentation
        item.write(&out, indent: indent + 1)
        out += index + 1 < items.count ? ",\n" : "\n"
      }
      out += outer + "]"
    case .object(let fields):
      // Objects without nesting stay on one line: a row is a line.
      let isFlat = !fields.contains { $0.1.isContainer }
      out += isFlat ? "{" : "{\n"
      for (index, field) in fields.enumerated() {
        if !isFlat { out += inner }
        Self.quote(field.0, into: &out)
        out += ": "
        field.1.write(&out, indent: indent + 1)
        out += index + 1 < fields.count ? (isFlat ? ", " : ",\n") : (isFlat ? "" : "\n")
      }
      out += isFlat ? "}" : outer + "}"
    }
  }

  private var isContainer: Bool {
    switch self {
    case .array(let items): !items.isEmpty
    case .object, .written: true
    default: false
    }
  }

  static func quoted(_ text: String) -> String {
    var out = ""
    quote(text, into: &out)
    return out
  }

  /// RFC 8259 §7; everything below U+0020 is escaped.
  static func quote(_ text: String, into out: inout String) {
    out += "\""
    defer { out += "\"" }
    // Nearly every text needs nothing.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C }) {
      out += text
      return
    }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case let other where other.value < 0x20:
        let hex = String(other.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
  }
}
