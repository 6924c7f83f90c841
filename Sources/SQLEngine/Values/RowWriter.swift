// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI

/// Writes the current row of a statement as a JSON array, straight from SQLite's memory.
///
/// What JSON cannot say exactly is tagged: blobs, texts over `SQLLimits.inlineTextBytes` and texts that are not UTF-8
/// go into the body as `{"blob":[offset,length]}` or `{"text":[offset,length]}`, infinities are `{"real":"inf"}`.
package struct RowWriter {
  /// Integers beyond ±(2^53−1) as `{"int":"…"}`, for readers whose numbers are doubles.
  package var safeIntegers: Bool

  package init(safeIntegers: Bool) { self.safeIntegers = safeIntegers }

  package func write(_ statement: PreparedStatement, columns: Int, to frame: inout ReplyFrame) {
    frame.writer.raw("[")
    for column in 0..<Int32(columns) {
      if column > 0 { frame.writer.raw(",") }
      write(statement.handle, column, to: &frame)
    }
    frame.writer.raw("]")
  }

  private func write(_ handle: OpaquePointer, _ column: Int32, to frame: inout ReplyFrame) {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_INTEGER: write(sqlite3_column_int64(handle, column), to: &frame)
    case SQLITE_FLOAT: write(sqlite3_column_double(handle, column), to: &frame)
    case SQLITE_TEXT:
      let pointer = sqlite3_column_text(handle, column)
      let count = Int(sqlite3_column_bytes(handle, column))
      let text = UnsafeBufferPointer(start: pointer, count: pointer == nil ? 0 : count)
      if text.count <= SQLLimits.inlineTextBytes, UTF8Check.isValid(text) {
        frame.writer.string(utf8: text)
      } else {
        place("{\"text\":[", UnsafeRawBufferPointer(text), in: &frame)
      }
    case SQLITE_BLOB:
      let pointer = sqlite3_column_blob(handle, column)
      let count = Int(sqlite3_column_bytes(handle, column))
      place(
        "{\"blob\":[", UnsafeRawBufferPointer(start: pointer, count: pointer == nil ? 0 : count),
        in: &frame)
    default: frame.writer.raw("null")
    }
  }

  private func write(_ value: Int64, to frame: inout ReplyFrame) {
    guard safeIntegers, value.magnitude > UInt64(FrameLimits.numberMax) else {
      return frame.writer.int(value)
    }
    frame.writer.raw("{\"int\":\"")
    frame.writer.int(value)
    frame.writer.raw("\"}")
  }

  private func write(_ value: Double, to frame: inout ReplyFrame) {
    if value.isFinite {
      frame.writer.double(value)
    } else {
      // SQLite stores no NaN: it becomes NULL.
      frame.writer.raw(value > 0 ? "{\"real\":\"inf\"}" : "{\"real\":\"-inf\"}")
    }
  }

  private func place(
    _ opening: StaticString, _ bytes: UnsafeRawBufferPointer, in frame: inout ReplyFrame
  ) {
    frame.writer.raw(opening)
    frame.writer.int(Int64(frame.body.count))
    frame.writer.raw(",")
    frame.writer.int(Int64(bytes.count))
    frame.writer.raw("]}")
    frame.body.append(contentsOf: bytes)
  }
}

/// Whether bytes are UTF-8. Looks at eight at a time while they are ASCII, which most text is.
package enum UTF8Check {
  package static func isValid(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    let raw = UnsafeRawBufferPointer(text)
    var at = 0
    while at + 8 <= raw.count {
      guard raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
      else { break }
      at += 8
    }
    while at < raw.count, raw[at] < 0x80 { at += 1 }
    guard at < raw.count else { return true }
    return String(validating: text[at...], as: UTF8.self) != nil
  }
}
