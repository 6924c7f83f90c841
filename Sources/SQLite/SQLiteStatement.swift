// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// One prepared statement. Belongs to its connection's thread; finalised when released.
public final class SQLiteStatement {
  public let handle: OpaquePointer
  private unowned let connection: SQLiteConnection
  /// Keeps the connection open as long as the statement lives. Not for a statement in the connection's own cache:
  /// the two would keep each other alive.
  private let kept: SQLiteConnection?

  init(handle: OpaquePointer, connection: SQLiteConnection, keepsConnection: Bool = true) {
    self.handle = handle
    self.connection = connection
    kept = keepsConnection ? connection : nil
  }

  deinit { sqlite3_finalize(handle) }

  public var columnCount: Int { Int(sqlite3_column_count(handle)) }
  public var parameterCount: Int { Int(sqlite3_bind_parameter_count(handle)) }
  /// Whether SQLite says it writes nothing (`sqlite3_stmt_readonly`).
  public var isReadOnly: Bool { sqlite3_stmt_readonly(handle) != 0 }

  public func columnName(_ index: Int) -> String {
    sqlite3_column_name(handle, Int32(index)).map { String(cString: $0) } ?? ""
  }

  /// The index (from 1) of a named parameter, prefix included (`:a`, `@a`, `$a`); nil if absent.
  public func parameterIndex(_ name: String) -> Int? {
    let index = sqlite3_bind_parameter_index(handle, name)
    return index == 0 ? nil : Int(index)
  }

  /// Binds by position, from 1.
  public func bind(_ value: SQLiteValue, at index: Int) throws(SQLiteError) {
    let position = Int32(index)
    let code: Int32
    switch value {
    case .null: code = sqlite3_bind_null(handle, position)
    case .integer(let value): code = sqlite3_bind_int64(handle, position, value)
    case .real(let value): code = sqlite3_bind_double(handle, position, value)
    case .text(let value):
      var value = value
      code = value.withUTF8 { bytes in
        // An empty buffer has a null base, which SQLite would bind as NULL.
        let base = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
        return base.map {
          sqlite3_bind_text64(
            handle, position, $0, UInt64(bytes.count), transientDestructor, UInt8(SQLITE_UTF8))
        } ?? sqlite3_bind_text(handle, position, "", 0, transientDestructor)
      }
    case .blob(let value):
      code = value.withUnsafeBytes { bytes in
        bytes.isEmpty
          ? sqlite3_bind_zeroblob(handle, position, 0)
          : sqlite3_bind_blob64(
            handle, position, bytes.baseAddress, UInt64(bytes.count), transientDestructor)
      }
    }
    guard code == SQLITE_OK else { throw connection.lastError(code) }
  }

  public func bind(_ values: [SQLiteValue]) throws(SQLiteError) {
    for (index, value) in values.enumerated() { try bind(value, at: index + 1) }
  }

  /// Advances one row. True while there is a row to read.
  public func step() throws(SQLiteError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code: throw connection.lastError(code)
    }
  }

  /// Column of the current row, from 0.
  public subscript(_ column: Int) -> SQLiteValue {
    let index = Int32(column)
    switch sqlite3_column_type(handle, index) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, index))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, index))
    case SQLITE_TEXT:
      guard let text = sqlite3_column_text(handle, index) else { return .text("") }
      let count = Int(sqlite3_column_bytes(handle, index))
      return .text(
        String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self))
    case SQLITE_BLOB:
      let count = Int(sqlite3_column_bytes(handle, index))
      guard count > 0, let bytes = sqlite3_column_blob(handle, index) else { return .blob([]) }
      return .blob(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
    default: return .null
    }
  }

  public var row: [SQLiteValue] { (0..<columnCount).map { self[$0] } }

  /// Ready for the next run; bindings stay until `clearBindings`.
  public func reset() { sqlite3_reset(handle) }
  public func clearBindings() { sqlite3_clear_bindings(handle) }
}

// SAFETY: never written. SQLITE_TRANSIENT makes SQLite copy the bytes before the call returns.
nonisolated(unsafe) private let transientDestructor = unsafeBitCast(
  -1, to: sqlite3_destructor_type.self)
