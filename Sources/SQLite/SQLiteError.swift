// SPDX-License-Identifier: Apache-2.0

/// A refusal by SQLite: what it said, and where in the statement if it said so.
public struct SQLiteError: Error, Sendable, CustomStringConvertible {
  /// The extended result code (https://sqlite.org/rescode.html).
  public var code: Int32
  /// SQLite's own words. May quote the statement; never a host path.
  public var message: String
  /// Byte offset of the offending token in the statement, where SQLite knows it.
  public var offset: Int?

  public init(code: Int32, message: String, offset: Int? = nil) {
    self.code = code
    self.message = message
    self.offset = offset
  }

  /// The primary code: the low byte of the extended one.
  public var primaryCode: Int32 { code & 0xff }

  public var description: String {
    "SQLite \(code): \(message)" + (offset.map { " (at byte \($0))" } ?? "")
  }
}
