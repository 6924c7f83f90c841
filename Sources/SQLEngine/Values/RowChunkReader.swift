// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI

/// Reads one chunk of `RowChunk`, checked whole before the first row is bound. Valid only as long as the bytes it was
/// made from: the values are bound where they lie.
package struct RowChunkReader {
  package let rows: Int
  package let columns: Int
  private var cursors: [Cursor] = []

  /// Where the next value of each kind lies in one column.
  private struct Cursor {
    var uniform: UInt8
    var kinds = 0
    var ints = 0
    var reals = 0
    var lengths = 0
    var bytes = 0
  }

  private let base: UnsafeRawBufferPointer

  /// Bytes the chunk takes, its length included.
  package var byteCount: Int { base.count }

  package init(_ bytes: UnsafeRawBufferPointer) throws(HostError) {
    guard bytes.count >= RowChunk.headerBytes else { throw Self.invalid("its header is cut off") }
    func u32(_ offset: Int) -> Int {
      Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
    let length = u32(0)
    guard length >= RowChunk.headerBytes - 4, length <= bytes.count - 4 else {
      throw Self.invalid("it says \(length) bytes and \(bytes.count - 4) are there")
    }
    rows = u32(4)
    columns = u32(8)
    base = UnsafeRawBufferPointer(rebasing: bytes[0..<(length + 4)])
    guard columns <= SQLLimits.parameters else { throw Self.invalid("it has \(columns) columns") }
    // Every column is at least its kind; every row of a chunk without columns would be free, so there are none.
    guard columns > 0 || rows == 0 else { throw Self.invalid("it has rows and no columns") }
    try readColumns()
  }

  private static func invalid(_ why: String) -> HostError {
    SQLFailure.params("the chunk of rows in the body is not valid: \(why)")
  }

  private mutating func readColumns() throws(HostError) {
    var at = RowChunk.headerBytes
    func take(_ count: Int, _ size: Int) throws(HostError) -> Int {
      let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, bytes <= base.count - at else { throw Self.invalid("a column is cut off") }
      defer { at += bytes }
      return at
    }
    cursors.reserveCapacity(min(columns, base.count))
    for _ in 0..<columns {
      var cursor = Cursor(uniform: base[try take(1, 1)])
      var count = [0, 0, 0, 0, 0]
      if cursor.uniform == RowChunk.mixed {
        cursor.kinds = try take(rows, 1)
        for kind in base[cursor.kinds..<at] {
          guard kind < RowChunk.mixed else { throw Self.invalid("a value is of kind \(kind)") }
          count[Int(kind)] += 1
        }
      } else {
        guard cursor.uniform < RowChunk.mixed else {
          throw Self.invalid("a column is of kind \(cursor.uniform)")
        }
        count[Int(cursor.uniform)] = rows
      }
      cursor.ints = try take(count[1], 8)
      cursor.reals = try take(count[2], 8)
      cursor.lengths = try take(count[3] + count[4], 4)
      var total = 0
      for index in 0..<(count[3] + count[4]) { total += length(cursor.lengths + 4 * index) }
      cursor.bytes = try take(total, 1)
      cursors.append(cursor)
    }
    guard at == base.count else { throw Self.invalid("\(base.count - at) bytes are left over") }
  }

  private func length(_ offset: Int) -> Int {
    Int(UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
  }

  /// Binds row after row; `row` counts from 0 and must go up by one. The bytes must stay until the statement is reset.
  package mutating func bind(row: Int, to statement: PreparedStatement) throws(HostError) {
    for index in cursors.indices {
      let kind =
        cursors[index].uniform == RowChunk.mixed
        ? base[cursors[index].kinds + row] : cursors[index].uniform
      let code = bind(kind, index, statement.handle, Int32(index + 1))
      guard code == SQLITE_OK else {
        throw ParameterBinding.refusal(code, "row \(row), column \(index)")
      }
    }
  }

  private mutating func bind(
    _ kind: UInt8, _ index: Int, _ handle: OpaquePointer, _ position: Int32
  ) -> Int32 {
    switch RowChunk.Kind(rawValue: kind) {
    case .int:
      defer { cursors[index].ints += 8 }
      return sqlite3_bind_int64(
        handle, position,
        Int64(littleEndian: base.loadUnaligned(fromByteOffset: cursors[index].ints, as: Int64.self))
      )
    case .real:
      defer { cursors[index].reals += 8 }
      let bits = base.loadUnaligned(fromByteOffset: cursors[index].reals, as: UInt64.self)
      return sqlite3_bind_double(handle, position, Double(bitPattern: UInt64(littleEndian: bits)))
    case .text:
      let slice = next(index)
      // No destructor: the bytes outlive the run of the statement. An empty text still needs an address.
      guard let address = slice.baseAddress else {
        return sqlite3_bind_text(handle, position, "", 0, transient)
      }
      return sqlite3_bind_text64(
        handle, position, address.assumingMemoryBound(to: CChar.self), UInt64(slice.count), nil,
        UInt8(SQLITE_UTF8))
    case .blob:
      let slice = next(index)
      return slice.isEmpty
        ? sqlite3_bind_zeroblob(handle, position, 0)
        : sqlite3_bind_blob64(handle, position, slice.baseAddress, UInt64(slice.count), nil)
    default: return sqlite3_bind_null(handle, position)
    }
  }

  private mutating func next(_ index: Int) -> UnsafeRawBufferPointer {
    let count = length(cursors[index].lengths)
    let start = cursors[index].bytes
    cursors[index].lengths += 4
    cursors[index].bytes += count
    return UnsafeRawBufferPointer(rebasing: base[start..<(start + count)])
  }
}
