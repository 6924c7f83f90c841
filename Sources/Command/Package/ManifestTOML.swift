// SPDX-License-Identifier: Apache-2.0

import GuestAPI
import TOMLKit

/// `bulkhead.toml` as the JSON the host takes. The host itself never parses TOML.
package enum ManifestTOML {
  /// What the text is not, and where.
  package struct SyntaxError: Error, Equatable {
    package var line: Int
    package var column: Int
    package var reason: String
  }

  /// A value that JSON cannot hold, and where.
  package struct ValueError: Error, Equatable {
    package var path: String
    package var reason: String
  }

  package static func json(_ text: String) throws -> JSONValue {
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      throw SyntaxError(
        line: error.source.begin.line, column: error.source.begin.column,
        reason: error.description)
    }
    return .object(try object(table, path: ""))
  }

  private static func object(_ table: TOMLTable, path: String) throws -> JSONObject {
    var object = JSONObject()
    for key in table.keys.sorted() {
      guard let value = table[key] else { continue }
      let path = path.isEmpty ? key : "\(path).\(key)"
      object.members.append((key, try self.value(value, path: path)))
    }
    return object
  }

  private static func value(_ value: any TOMLValueConvertible, path: String) throws -> JSONValue {
    switch value.type {
    case .table: return .object(try object(value.table ?? TOMLTable(), path: path))
    case .array:
      return .array(
        try (value.array ?? TOMLArray()).enumerated().map {
          try self.value($0.element, path: "\(path)[\($0.offset)]")
        })
    case .string: return .string(value.string ?? "")
    case .int: return .int(Int64(value.int ?? 0))
    case .bool: return .bool(value.bool ?? false)
    case .double:
      guard let number = value.double, number.isFinite else {
        throw ValueError(path: path, reason: "is not a finite number")
      }
      return .double(number)
    case .date, .time, .dateTime:
      throw ValueError(path: path, reason: "is a date; no key of a manifest takes one")
    }
  }
}
