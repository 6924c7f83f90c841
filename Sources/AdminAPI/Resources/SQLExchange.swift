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
  /// At most so many rows come back; all if nil.
  public var rowsMax: Int?

  public init(
    sql: String, params: [JSONValue] = [], write: Bool = false, rowsMax: Int? = nil
  ) {
    self.sql = sql
    self.params = params
    self.write = write
    self.rowsMax = rowsMax
  }
}

/// A line of the answer to a statement (`application/x-ndjson`): the columns first, each row, and how it ended.
///
///     {"columns":["id","title"]}
///     [1,"first"]
///     {"changes":0,"lastInsertRowID":0,"truncated":false}
///
/// An answer that breaks off ends with `{"problem":{…}}` instead.
public enum SQLLine: Sendable, Equatable {
  case columns([String])
  case row([JSONValue])
  case end(SQLOutcome)
  case problem(Problem)

  /// LIMIT: bytes of a line. A row is of 4 MiB at most; base64 and escapes make it longer.
  public static let bytesMax = 64 << 20
}

/// How a statement ended.
public struct SQLOutcome: Codable, Sendable, Equatable {
  public var changes: Int64
  public var lastInsertRowID: Int64
  /// There are more rows than were asked for.
  public var truncated: Bool

  public init(changes: Int64 = 0, lastInsertRowID: Int64 = 0, truncated: Bool = false) {
    self.changes = changes
    self.lastInsertRowID = lastInsertRowID
    self.truncated = truncated
  }
}

extension SQLLine {
  /// The line without its end.
  public func encoded() throws -> [UInt8] {
    switch self {
    case .columns(let names):
      let value: JSONValue = ["columns": .array(names.map { .string($0) })]
      return value.encoded
    case .row(let values): return JSONValue.array(values).encoded
    case .end(let outcome): return try AdminCoding.encode(outcome)
    case .problem(let problem): return try AdminCoding.encode(["problem": problem])
    }
  }

  public init(line: [UInt8]) throws {
    let value = try JSONParser.parse(line)
    if let row = value.array {
      self = .row(row)
    } else if let columns = value["columns"]?.array {
      self = .columns(columns.compactMap(\.string))
    } else if value["problem"] != nil {
      let problem = try AdminCoding.decode([String: Problem].self, from: line)["problem"]
      self = .problem(problem ?? Problem(status: 500, code: "internal", title: "", detail: ""))
    } else {
      self = .end(try AdminCoding.decode(SQLOutcome.self, from: line))
    }
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
