// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// Every bound on a guest's SQL that is the same for all apps. docs/SQL.md lists them; tests enforce them.
/// What an operator may set per app is in `SQLPlan`.
package enum SQLLimits {
  /// Longest statement, in bytes.
  package static let statementBytes = 131_072
  /// Longest text, blob or row, in bytes. It also bounds what one built-in function can be made to chew on.
  package static let valueBytes = 4_194_304
  /// Parameters of one statement.
  package static let parameters = 32_766
  /// Columns of a table, result or index.
  package static let columns = 1_000
  /// Statements of one batch.
  package static let batchStatements = 1_000
  /// Prepared statements kept per connection.
  package static let cachedStatements = 128
  /// A text longer than this rides in the body of a result instead of its JSON, in bytes.
  package static let inlineTextBytes = 16_384
  /// Rows are gathered until a chunk is about this long, in bytes.
  package static let chunkBytes = 65_536
  /// Databases of one app, declared and created.
  package static let databases = 64
  /// What is left of a write-ahead log file after a checkpoint, in bytes.
  package static let journalBytes = 4_194_304
  /// Page cache of the writing and of each reading connection, in KiB.
  package static let writerCacheKiB = 4_096
  package static let readerCacheKiB = 2_048

  /// `sqlite3_limit` categories (https://sqlite.org/c3ref/c_limit_attached.html).
  package static let categories: [(category: Int32, value: Int32)] = [
    (SQLITE_LIMIT_LENGTH, Int32(valueBytes)),
    (SQLITE_LIMIT_SQL_LENGTH, Int32(statementBytes)),
    (SQLITE_LIMIT_COLUMN, Int32(columns)),
    (SQLITE_LIMIT_EXPR_DEPTH, 500),
    (SQLITE_LIMIT_COMPOUND_SELECT, 250),
    (SQLITE_LIMIT_VDBE_OP, 250_000),
    (SQLITE_LIMIT_FUNCTION_ARG, 100),
    // VACUUM attaches a database of its own; a guest's ATTACH is refused by the authorizer.
    (SQLITE_LIMIT_ATTACHED, 1),
    (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256),
    (SQLITE_LIMIT_VARIABLE_NUMBER, Int32(parameters)),
    (SQLITE_LIMIT_TRIGGER_DEPTH, 32),
    (SQLITE_LIMIT_WORKER_THREADS, 0),
  ]
}
