// SPDX-License-Identifier: Apache-2.0
import SQLEngine
import SQLite

/// `columns/1` written and read as docs/SQL.md describes it, independently of the worker's code.
enum Columns {
  static func encode(_ rows: [[SQLiteValue]], mixed: Bool = true) -> [UInt8] {
    var out = u32(rows.count) + u32(rows.first?.count ?? 0)
    for index in (rows.first ?? []).indices {
      let column = rows.map { $0[index] }
      let kinds = column.map(kind)
      out += Set(kinds).count == 1 && !mixed ? [kinds[0]] : [5] + kinds
      for case .integer(let value) in column { out += little(UInt64(bitPattern: value)) }
      for case .real(let value) in column { out += little(value.bitPattern) }
      let payloads = column.compactMap(payload)
      out += payloads.flatMap { u32($0.count) }
      out += payloads.flatMap { $0 }
    }
    return u32(out.count) + out
  }

  static func decode(_ bytes: [UInt8]) -> [[SQLiteValue]] {
    var rows: [[SQLiteValue]] = []
    var at = 0
    func u32() -> Int {
      defer { at += 4 }
      return (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }
    func u64() -> UInt64 {
      defer { at += 8 }
      return (0..<8).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
    }
    while at < bytes.count {
      _ = u32()
      let count = u32()
      let columns = (0..<u32()).map { _ -> [SQLiteValue] in
        let uniform = bytes[at]
        at += 1
        var kinds = [UInt8](repeating: uniform, count: count)
        if uniform == 5 {
          kinds = Array(bytes[at..<(at + count)])
          at += count
        }
        var column = [SQLiteValue](repeating: .null, count: count)
        for row in 0..<count where kinds[row] == 1 {
          column[row] = .integer(Int64(bitPattern: u64()))
        }
        for row in 0..<count where kinds[row] == 2 {
          column[row] = .real(Double(bitPattern: u64()))
        }
        let places = (0..<count).filter { kinds[$0] > 2 }
        let lengths = places.map { _ in u32() }
        for (row, length) in zip(places, lengths) {
          let slice = Array(bytes[at..<(at + length)])
          at += length
          column[row] =
            kinds[row] == 3 ? .text(String(decoding: slice, as: UTF8.self)) : .blob(slice)
        }
        return column
      }
      for row in 0..<count { rows.append(columns.map { $0[row] }) }
    }
    return rows
  }

  private static func u32(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
  private static func little(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }
  private static func kind(_ value: SQLiteValue) -> UInt8 {
    switch value {
    case .null: 0
    case .integer: 1
    case .real: 2
    case .text: 3
    case .blob: 4
    }
  }
  private static func payload(_ value: SQLiteValue) -> [UInt8]? {
    switch value {
    case .text(let text): Array(text.utf8)
    case .blob(let bytes): bytes
    default: nil
    }
  }
}
