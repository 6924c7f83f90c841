// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc
import GuestAPI
import SQLite

/// Asked every few thousand steps of a running statement.
package protocol StatementBudget: AnyObject {
  /// False stops the statement with SQLITE_INTERRUPT.
  func mayContinue() -> Bool
  /// The statement's transaction is being made durable: from here on it is not stopped.
  func committing()
}

/// A connection on which an app's statements may run: the policy asked for each action, limits lowered, defensive
/// mode on, the schema untrusted. Belongs to one thread at a time.
package final class GuardedConnection {
  package enum Role: Sendable { case reader, writer }

  package let connection: SQLiteConnection
  package let role: Role
  package var handle: OpaquePointer { connection.handle }
  /// Asked while a statement runs; set around each run.
  package var budget: (any StatementBudget)?
  private var cache = StatementCache(statementsMax: SQLLimits.cachedStatements)
  private let gate = PolicyGate()

  /// Steps of SQLite's virtual machine between two questions to the budget: some 20 µs.
  private static let stepsPerTick: Int32 = 2_000

  package init(path: String, role: Role, plan: SQLPlan) throws(SQLiteError) {
    self.role = role
    connection = try SQLiteConnection(
      path: path,
      options: .init(
        readOnly: role == .reader, create: role == .writer, busyTimeoutMilliseconds: 2_000))
    try harden(plan)
    let context = Unmanaged.passUnretained(self).toOpaque()
    sqlite3_progress_handler(
      handle, Self.stepsPerTick,
      { context in
        guard let context else { return 0 }
        let connection = Unmanaged<GuardedConnection>.fromOpaque(context).takeUnretainedValue()
        return connection.budget?.mayContinue() ?? true ? 0 : 1
      }, context)
    sqlite3_commit_hook(
      handle,
      { context in
        guard let context else { return 0 }
        Unmanaged<GuardedConnection>.fromOpaque(context).takeUnretainedValue().budget?.committing()
        return 0
      }, context)
    gate.install(on: handle)
  }

  private func harden(_ plan: SQLPlan) throws(SQLiteError) {
    if role == .writer { try connection.useWriteAheadLog() }
    try connection.run("PRAGMA foreign_keys=ON")
    try connection.run("PRAGMA cell_size_check=ON")
    try connection.run("PRAGMA temp_store=\(plan.temporary == nil ? "MEMORY" : "FILE")")
    switch role {
    case .writer:
      try connection.run("PRAGMA cache_size=-\(SQLLimits.writerCacheKiB)")
      try connection.run("PRAGMA journal_size_limit=\(SQLLimits.journalBytes)")
    case .reader: try connection.run("PRAGMA cache_size=-\(SQLLimits.readerCacheKiB)")
    }
    for (option, on) in [
      (SQLITE_DBCONFIG_DEFENSIVE, true), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
      (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, false),
      (SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false), (SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
      // "text" in double quotes is an identifier and nothing else.
      (SQLITE_DBCONFIG_DQS_DML, false), (SQLITE_DBCONFIG_DQS_DDL, false),
    ] { try connection.configure(Int32(option), on) }
    for (category, value) in SQLLimits.categories { sqlite3_limit(handle, category, value) }
  }
}

extension GuardedConnection {
  /// The compiled statement for this text: the cached one, or a new one after the policy allowed it.
  package func statement(_ sql: String) throws(HostError) -> PreparedStatement {
    if let statement = cache.find(sql) { return statement }
    guard let (statement, rest) = try prepare(Array(sql.utf8)[...]) else {
      throw SQLFailure.params("\"sql\" holds no statement")
    }
    guard try prepare(rest) == nil else {
      throw SQLFailure.params("\"sql\" holds more than one statement; sql.batch takes several")
    }
    cache.keep(statement, sql)
    return statement
  }

  /// Compiles the first statement of `sql` for the app; nil if only space and comments are left.
  package func prepare(
    _ sql: ArraySlice<UInt8>
  ) throws(HostError) -> (statement: PreparedStatement, rest: ArraySlice<UInt8>)? {
    guard !sql.contains(0) else { throw SQLFailure.params("\"sql\" holds a NUL character") }
    guard sql.count <= Int(sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, -1)) else {
      throw SQLFailure.params("\"sql\" is over \(SQLLimits.statementBytes) bytes")
    }
    let firstWord = StatementText.firstWord(sql)
    let kind = StatementText.kind(sql, firstWord: firstWord)
    gate.beginStatement(kind)
    var pointer: OpaquePointer?
    var consumed = 0
    let code = sql.withUnsafeBufferPointer { bytes -> Int32 in
      guard let base = bytes.baseAddress else { return SQLITE_OK }
      return base.withMemoryRebound(to: CChar.self, capacity: bytes.count) { text in
        var tail: UnsafePointer<CChar>?
        let code = sqlite3_prepare_v3(
          handle, text, Int32(bytes.count), UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, &tail)
        consumed = tail.map { $0 - text } ?? bytes.count
        return code
      }
    }
    guard code == SQLITE_OK else { throw failure(code) }
    guard let pointer else { return nil }
    let statement = PreparedStatement(
      handle: pointer, isTransactional: gate.isTransactional, kind: kind,
      firstWord: firstWord)
    return (statement, sql[(sql.startIndex + consumed)...])
  }

  /// Runs a statement of the worker's own, which no policy is asked about.
  @discardableResult
  package func own(_ sql: String, _ values: SQLiteValue...) throws(HostError) -> [[SQLiteValue]] {
    gate.beginOwn()
    defer { gate.endOwn() }
    do { return try connection.run(sql, values) } catch { throw failure(error) }
  }

  /// The error a guest is told for a code just returned on this connection.
  package func failure(_ code: Int32) -> HostError {
    // A refused function is SQLITE_ERROR, everything else that is refused SQLITE_AUTH.
    if [SQLITE_AUTH, SQLITE_ERROR].contains(code & 0xff), let reason = gate.takeRefusal() {
      return SQLFailure.refused(reason)
    }
    let offset = Int(sqlite3_error_offset(handle))
    let extended = sqlite3_extended_errcode(handle)
    return failure(
      SQLiteError(
        code: extended & 0xff == code & 0xff ? extended : code,
        message: String(cString: sqlite3_errmsg(handle)), offset: offset >= 0 ? offset : nil))
  }

  private func failure(_ error: SQLiteError) -> HostError {
    let isFull = error.primaryCode == SQLITE_FULL
    let usesErrno = isFull || [SQLITE_IOERR, SQLITE_CANTOPEN].contains(error.primaryCode)
    if error.code == SQLITE_IOERR | 3 << 8, hasReachedFileLimit {
      return SQLFailure.error(error, systemError: EFBIG)
    }
    return SQLFailure.error(
      error, systemError: usesErrno ? sqlite3_system_errno(handle) : 0)
  }

  /// Whether SQLITE_IOERR_WRITE is RLIMIT_FSIZE's doing. SQLite does not keep the errno of a write that was cut short.
  private var hasReachedFileLimit: Bool {
    guard let name = sqlite3_db_filename(handle, "main") else { return false }
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return false }
    return ["", "-wal"].contains { end in
      let size = FileSystem.status(String(cString: name) + end)?.size ?? 0
      return UInt64(max(0, size)) > limit.rlim_cur &- min(limit.rlim_cur, 8_192)
    }
  }

  /// One step. SQLite may compile the statement anew here, so the policy is asked as at first.
  package func step(_ statement: PreparedStatement) throws(HostError) -> Bool {
    if statement.kind != gate.kind { gate.beginStatement(statement.kind) }
    switch sqlite3_step(statement.handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code: throw failure(code)
    }
  }

  /// Closes now; nothing may be called on the connection afterwards.
  package func close() {
    cache.removeAll()
    connection.close()
  }

  package var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }
}
