// SPDX-License-Identifier: Apache-2.0

import GuestAPI

/// One statement an operator runs on an app's database.
///
/// Values are JSON null, integers, doubles and strings; a blob is `{"base64":"…"}`, an infinity `{"real":"inf"}` or
/// `{"real":"-inf"}`.
public struct SQLRequest: Codable, Sendable, Equatable {
  public var sql: String
  public var params: [JSONValue]
  /// Whether the statement may change anything.
  public var write: Bool
  /// At most so many rows come back.
  public var rowsMax: Int

  public init(sql: String, params: [JSONValue] = [], write: Bool = false, rowsMax: Int = 100_000) {
    self.sql = sql
    self.params = params
    self.write = write
    self.rowsMax = rowsMax
  }
}

public struct SQLResult: Codable, Sendable, Equatable {
  public var columns: [String]
  public var rows: [[JSONValue]]
  public var changes: Int64
  public var lastInsertRowID: Int64
  /// There are more rows than were asked for.
  public var truncated: Bool

  public init(
    columns: [String], rows: [[JSONValue]], changes: Int64, lastInsertRowID: Int64, truncated: Bool
  ) {
    self.columns = columns
    self.rows = rows
    self.changes = changes
    self.lastInsertRowID = lastInsertRowID
    self.truncated = truncated
  }
}

/// Write a consistent copy of a database to a file of the host.
public struct SQLBackupRequest: Codable, Sendable, Equatable {
  /// Absolute, and not there yet.
  public var file: String
  public init(file: String) { self.file = file }
}

public struct SQLBackupReport: Codable, Sendable, Equatable {
  public var file: String
  public var bytes: Int64
  public init(file: String, bytes: Int64) {
    self.file = file
    self.bytes = bytes
  }
}

/// One database of an app.
public struct DatabaseInfo: Codable, Sendable, Equatable {
  public var name: String
  public var bytes: Int64
  public init(name: String, bytes: Int64) {
    self.name = name
    self.bytes = bytes
  }
}
