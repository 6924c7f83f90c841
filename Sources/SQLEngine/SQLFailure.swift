// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc
import GuestAPI
import SQLite

/// Turns what SQLite says into what a guest is told.
package enum SQLFailure {
  /// The error for a code of SQLite. `offset` is in bytes of the statement's UTF-8.
  package static func error(_ failure: SQLiteError, systemError: Int32 = 0) -> HostError {
    var data: [(key: String, value: JSONValue)] = [("extended", .int(Int64(failure.code)))]
    if let offset = failure.offset { data.append(("offset", .int(Int64(offset)))) }
    let message = failure.message
    switch failure.primaryCode {
    case SQLITE_CONSTRAINT:
      return HostError(.conflict, "constraint", message, data: data)
    case SQLITE_FULL where systemError != 0:
      return HostError(
        .overloaded, "storage", "the host's disk is full; free space and try again", data: data)
    case SQLITE_FULL:
      return HostError(
        .quota, "storage",
        "the app's storage quota for databases is used up; delete rows or ask the operator for more",
        data: data)
    case SQLITE_BUSY, SQLITE_LOCKED:
      return HostError(
        .overloaded, "sql_busy", "another process holds the database; try again", data: data)
    case SQLITE_CORRUPT, SQLITE_NOTADB:
      return HostError(
        .sql, "corrupt", "the database file is damaged (\(message)); restore it from a backup",
        data: data)
    case SQLITE_TOOBIG:
      return HostError(
        .sql, "too_large",
        "a text, blob, row or statement is over its limit (\(SQLLimits.valueBytes) bytes for values, "
          + "\(SQLLimits.statementBytes) for statements)", data: data)
    case SQLITE_NOMEM:
      return HostError(
        .quota, "memory", "the statement needs more memory than the app's databases may use",
        data: data)
    case SQLITE_INTERRUPT: return deadline
    // RLIMIT_FSIZE: the log of a database grows as long as somebody reads an old state of it.
    case SQLITE_IOERR where systemError == EFBIG:
      return HostError(
        .quota, "storage",
        "the database's log is as long as it may be; end the transactions that read, or write less at once",
        data: data)
    case SQLITE_IOERR, SQLITE_CANTOPEN:
      return HostError(
        .internal, "sql_io", "the host could not read or write the database file",
        log: "\(message), extended code \(failure.code), errno \(systemError)", data: data)
    default: return HostError(.sql, word(failure.primaryCode), message, data: data)
    }
  }

  private static func word(_ code: Int32) -> String {
    switch code {
    case SQLITE_READONLY: "read_only"
    case SQLITE_MISMATCH: "mismatch"
    case SQLITE_RANGE: "range"
    case SQLITE_SCHEMA: "schema"
    default: "error"
    }
  }

  package static let deadline = HostError(
    .deadline, "sql",
    "the statement ran past its deadline and was stopped; nothing of it was kept. Add an index, ask for less, or send a "
      + "longer meta.deadlineMs")

  package static let cancelled = HostError(.cancelled, "", "cancelled as asked")

  package static func params(_ message: String) -> HostError { HostError(.params, "", message) }

  package static func refused(_ reason: String) -> HostError {
    HostError(.permission, "sql", reason)
  }

  package static func tooLarge(_ what: String) -> HostError {
    HostError(.sql, "too_large", "\(what); send \"stream\": true to receive any number of rows")
  }
}
