// SPDX-License-Identifier: Apache-2.0
import CSQLite
import CHostShims

/// One connection to one database file. Not `Sendable`: it belongs to the thread, actor or queue that opened it.
public final class SQLiteConnection {
  public let handle: OpaquePointer
  private var cached: [String: SQLiteStatement] = [:]
  /// Prepared statements kept for reuse by `run`; past this the cache starts anew.
  private let cachedMax = 128
  private var isClosed = false

  public struct Options: Sendable {
    public var readOnly = false
    public var create = true
    /// How long a call waits for another connection's lock, in milliseconds.
    public var busyTimeoutMilliseconds: Int32 = 5_000
    public init(readOnly: Bool = false, create: Bool = true, busyTimeoutMilliseconds: Int32 = 5_000)
    {
      self.readOnly = readOnly
      self.create = create
      self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
    }
  }

  /// Opens without changing the journal mode; see `useWriteAheadLog`.
  public init(path: String, options: Options = Options()) throws(SQLiteError) {
    var flags = options.readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
    if options.create && !options.readOnly { flags |= SQLITE_OPEN_CREATE }
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    var pointer: OpaquePointer?
    let code = sqlite3_open_v2(path, &pointer, flags, nil)
    guard code == SQLITE_OK, let opened = pointer else {
      let words = String(cString: sqlite3_errmsg(pointer))
      sqlite3_close_v2(pointer)
      throw SQLiteError(code: code, message: words)
    }
    handle = opened
    sqlite3_busy_timeout(opened, options.busyTimeoutMilliseconds)
  }

  deinit { close() }

  /// Closes now rather than when the last reference goes. Nothing may be called on the connection afterwards.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    cached = [:]
    sqlite3_close_v2(handle)
  }

  /// WAL with `synchronous=FULL`: a commit that returned is on disk (https://sqlite.org/pragma.html#pragma_synchronous).
  public func useWriteAheadLog() throws(SQLiteError) {
    try run("PRAGMA journal_mode=WAL")
    try run("PRAGMA synchronous=FULL")
  }

  /// Sets one of the boolean options of `sqlite3_db_config`, such as SQLITE_DBCONFIG_DEFENSIVE.
  public func configure(_ option: Int32, _ on: Bool) throws(SQLiteError) {
    let code = bh_sqlite_config(handle, option, on ? 1 : 0)
    guard code == SQLITE_OK else { throw lastError(code) }
  }

  public func prepare(_ sql: String, persistent: Bool = false) throws(SQLiteError)
    -> SQLiteStatement
  {
    SQLiteStatement(
      handle: try compile(sql, persistent: persistent), connection: self, keepsConnection: true)
  }

  private func compile(_ sql: String, persistent: Bool) throws(SQLiteError) -> OpaquePointer {
    var statement: OpaquePointer?
    let flags = persistent ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
    let code = sqlite3_prepare_v3(handle, sql, -1, flags, &statement, nil)
    guard code == SQLITE_OK else { throw lastError(code) }
    guard let statement else {
      throw SQLiteError(code: SQLITE_MISUSE, message: "the statement is empty")
    }
    return statement
  }

  /// Runs one statement with a cached preparation and gives every row.
  @discardableResult
  public func run(_ sql: String, _ values: SQLiteValue...) throws(SQLiteError) -> [[SQLiteValue]] {
    try run(sql, values)
  }

  @discardableResult
  public func run(_ sql: String, _ values: [SQLiteValue]) throws(SQLiteError) -> [[SQLiteValue]] {
    let statement = try cachedStatement(sql)
    defer {
      statement.reset()
      statement.clearBindings()
    }
    try statement.bind(values)
    var rows: [[SQLiteValue]] = []
    while try statement.step() { rows.append(statement.row) }
    return rows
  }

  /// Runs several statements separated by `;`, such as a migration. No parameters, no rows.
  public func script(_ sql: String) throws(SQLiteError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw lastError(code) }
  }

  /// A statement of the connection's own; it must not outlive the connection.
  public func cachedStatement(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
    if let statement = cached[sql] { return statement }
    if cached.count >= cachedMax { cached = [:] }
    let statement = SQLiteStatement(
      handle: try compile(sql, persistent: true), connection: self, keepsConnection: false)
    cached[sql] = statement
    return statement
  }

  /// One write transaction (`BEGIN IMMEDIATE`): committed if the body returns, rolled back if it throws.
  public func transaction<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws -> Result {
    try run("BEGIN IMMEDIATE")
    do {
      let result = try body()
      try run("COMMIT")
      return result
    } catch {
      if sqlite3_get_autocommit(handle) == 0 { _ = try? run("ROLLBACK") }
      throw error
    }
  }

  public var changes: Int { Int(sqlite3_changes64(handle)) }
  public var lastInsertRowID: Int64 { sqlite3_last_insert_rowid(handle) }

  func lastError(_ code: Int32) -> SQLiteError {
    let offset = Int(sqlite3_error_offset(handle))
    return SQLiteError(
      code: sqlite3_extended_errcode(handle) != SQLITE_OK
        ? sqlite3_extended_errcode(handle) : code,
      message: String(cString: sqlite3_errmsg(handle)), offset: offset >= 0 ? offset : nil)
  }
}
