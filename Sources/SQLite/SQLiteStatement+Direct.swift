// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// Binding and reading without a `SQLiteValue` in between, for statements that run thousands of
/// times in a batch.
extension SQLiteStatement {
  public func bind(integer value: Int64, at index: Int) throws(SQLiteError) {
    try check(sqlite3_bind_int64(handle, Int32(index), value))
  }

  public func bindNull(at index: Int) throws(SQLiteError) {
    try check(sqlite3_bind_null(handle, Int32(index)))
  }

  /// Binds 16 bytes, most significant first.
  public func bind(wide value: UInt128, at index: Int) throws(SQLiteError) {
    let code = withUnsafeBytes(of: value.bigEndian) { bytes in
      sqlite3_bind_blob(handle, Int32(index), bytes.baseAddress, 16, copyingDestructor)
    }
    try check(code)
  }

  /// Column of the current row as a whole number; zero for NULL.
  public func integer(_ column: Int) -> Int64 { sqlite3_column_int64(handle, Int32(column)) }

  /// Column of the current row as 16 bytes, most significant first; zero for NULL or another length.
  public func wide(_ column: Int) -> UInt128 {
    guard sqlite3_column_bytes(handle, Int32(column)) == 16,
      let bytes = sqlite3_column_blob(handle, Int32(column))
    else { return 0 }
    return UInt128(bigEndian: bytes.loadUnaligned(as: UInt128.self))
  }

  /// Steps to the end and is ready for the next run.
  public func finish() throws(SQLiteError) {
    while try step() {}
    reset()
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    guard code == SQLITE_OK else {
      throw SQLiteError(code: code, message: String(cString: sqlite3_errstr(code)))
    }
  }
}

// SAFETY: never written. SQLITE_TRANSIENT makes SQLite copy the bytes before the call returns.
nonisolated(unsafe) private let copyingDestructor = unsafeBitCast(
  -1, to: sqlite3_destructor_type.self)
