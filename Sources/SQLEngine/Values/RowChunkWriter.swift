// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// Gathers rows of a statement column by column and gives them as one chunk of `RowChunk`.
package struct RowChunkWriter {
  private struct Column {
    var kinds: [UInt8] = []
    var isMixed = false
    var numbers: [UInt8] = []
    var reals: [UInt8] = []
    var lengths: [UInt8] = []
    var bytes: [UInt8] = []

    mutating func note(_ kind: RowChunk.Kind) {
      if let first = kinds.first, first != kind.rawValue { isMixed = true }
      kinds.append(kind.rawValue)
    }

    mutating func removeAll() {
      kinds.removeAll(keepingCapacity: true)
      isMixed = false
      numbers.removeAll(keepingCapacity: true)
      reals.removeAll(keepingCapacity: true)
      lengths.removeAll(keepingCapacity: true)
      bytes.removeAll(keepingCapacity: true)
    }
  }

  private var columns: [Column]
  package private(set) var rows = 0
  /// About how long the chunk is so far, in bytes; never less than it will be.
  package private(set) var size: Int

  package init(columns count: Int) {
    columns = Array(repeating: Column(), count: count)
    size = RowChunk.headerBytes + count
  }

  package mutating func append(_ statement: PreparedStatement) {
    for index in columns.indices { append(statement.handle, Int32(index)) }
    rows += 1
  }

  private mutating func append(_ handle: OpaquePointer, _ index: Int32) {
    let column = Int(index)
    switch sqlite3_column_type(handle, index) {
    case SQLITE_INTEGER:
      columns[column].note(.int)
      Self.store(sqlite3_column_int64(handle, index), in: &columns[column].numbers)
      size += 9
    case SQLITE_FLOAT:
      columns[column].note(.real)
      Self.store(sqlite3_column_double(handle, index).bitPattern, in: &columns[column].reals)
      size += 9
    case SQLITE_TEXT:
      let pointer = sqlite3_column_text(handle, index)
      append(.text, UnsafeRawPointer(pointer), Int(sqlite3_column_bytes(handle, index)), column)
    case SQLITE_BLOB:
      let pointer = sqlite3_column_blob(handle, index)
      append(.blob, pointer, Int(sqlite3_column_bytes(handle, index)), column)
    default:
      columns[column].note(.null)
      size += 1
    }
  }

  private mutating func append(
    _ kind: RowChunk.Kind, _ pointer: UnsafeRawPointer?, _ count: Int, _ column: Int
  ) {
    columns[column].note(kind)
    let bytes = UnsafeRawBufferPointer(start: pointer, count: pointer == nil ? 0 : count)
    Self.store(UInt32(bytes.count), in: &columns[column].lengths)
    columns[column].bytes.append(contentsOf: bytes)
    size += 5 + bytes.count
  }

  /// The rows so far as one chunk, appended to `out`; begins anew.
  package mutating func finish(into out: inout [UInt8]) {
    let start = out.count
    Self.store(UInt32(0), in: &out)
    Self.store(UInt32(rows), in: &out)
    Self.store(UInt32(columns.count), in: &out)
    for index in columns.indices {
      Self.write(columns[index], to: &out)
      columns[index].removeAll()
    }
    let length = UInt32(out.count - start - 4)
    for byte in 0..<4 { out[start + byte] = UInt8(truncatingIfNeeded: length >> (8 * byte)) }
    rows = 0
    size = RowChunk.headerBytes + columns.count
  }

  private static func write(_ column: Column, to out: inout [UInt8]) {
    if column.isMixed {
      out.append(RowChunk.mixed)
      out += column.kinds
    } else {
      out.append(column.kinds.first ?? RowChunk.Kind.null.rawValue)
    }
    out += column.numbers
    out += column.reals
    out += column.lengths
    out += column.bytes
  }

  private static func store<Value: FixedWidthInteger>(_ value: Value, in out: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) }
  }
}
