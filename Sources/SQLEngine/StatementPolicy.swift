// SPDX-License-Identifier: Apache-2.0
import CSQLite

/// Decides what a statement may do while SQLite compiles it: one answer per action of
/// https://sqlite.org/c3ref/c_alter_table.html. A value; the authorizer callback only asks it.
package struct StatementPolicy: Sendable, Equatable {
  /// On whose behalf a statement is compiled.
  package enum Author: Sendable, Equatable {
    /// The worker itself: everything.
    case worker
    /// The app: a request or a migration.
    case app
  }

  package enum Verdict: Sendable, Equatable {
    case allowed
    /// The statement opens, ends or nests a transaction; where it may stand is decided when it runs.
    case transactional(String)
    /// Why not, in words for the app's developer.
    case refused(String)
  }

  /// What SQLite does on its own behalf within a statement, and the app may not.
  package enum Kind: Sendable, Equatable {
    case ordinary
    /// A bare VACUUM attaches a nameless database and begins a transaction on it.
    case vacuum
    /// ALTER TABLE rewrites the schema with `printf`. Not of this kind if its text names the function itself.
    case alter
  }

  package var author: Author
  package var kind = Kind.ordinary

  package init(author: Author) { self.author = author }

  /// Where applied migrations are recorded. An app may read it and not change it.
  package static let migrationTable = "bulkhead_migration"

  package func verdict(_ action: Int32, _ first: String?, _ second: String?) -> Verdict {
    guard author == .app else { return .allowed }
    switch action {
    case SQLITE_ATTACH:
      return kind == .vacuum && (first ?? "").isEmpty
        ? .allowed : .refused("ATTACH and VACUUM INTO are not allowed; each database stands alone")
    case SQLITE_DETACH:
      return kind == .vacuum ? .allowed : .refused("DETACH is not allowed")
    case SQLITE_FUNCTION where kind == .alter && second == "printf": return .allowed
    case SQLITE_FUNCTION: return Self.function(second ?? "")
    case SQLITE_PRAGMA: return Self.pragma(first ?? "", second)
    case SQLITE_CREATE_VTABLE: return Self.virtualTable(second ?? "")
    case SQLITE_TRANSACTION where kind == .vacuum: return .allowed
    case SQLITE_TRANSACTION:
      return .refused(
        "\(first ?? "BEGIN") is not a statement here: use sql.begin, sql.commit and sql.rollback")
    case SQLITE_SAVEPOINT: return .transactional(first ?? "SAVEPOINT")
    case SQLITE_CREATE_TEMP_TABLE, SQLITE_CREATE_TEMP_INDEX, SQLITE_CREATE_TEMP_VIEW,
      SQLITE_CREATE_TEMP_TRIGGER:
      return .refused(
        "temporary tables, views and triggers are not allowed: requests share connections")
    case SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE, SQLITE_DROP_TABLE:
      return first?.lowercased() == Self.migrationTable
        ? .refused("\(Self.migrationTable) is written by the host only") : .allowed
    case SQLITE_ALTER_TABLE:
      return second?.lowercased() == Self.migrationTable
        ? .refused("\(Self.migrationTable) is written by the host only") : .allowed
    case SQLITE_CREATE_TRIGGER, SQLITE_CREATE_INDEX:
      return second?.lowercased() == Self.migrationTable
        ? .refused("\(Self.migrationTable) is written by the host only") : .allowed
    case SQLITE_CREATE_TABLE, SQLITE_CREATE_VIEW, SQLITE_DROP_INDEX, SQLITE_DROP_TRIGGER,
      SQLITE_DROP_VIEW, SQLITE_DROP_VTABLE, SQLITE_DROP_TEMP_INDEX, SQLITE_DROP_TEMP_TABLE,
      SQLITE_DROP_TEMP_TRIGGER, SQLITE_DROP_TEMP_VIEW, SQLITE_READ, SQLITE_SELECT,
      SQLITE_REINDEX, SQLITE_ANALYZE, SQLITE_RECURSIVE:
      return .allowed
    default: return .refused("action \(action) is not one this host knows")
    }
  }
}

extension StatementPolicy {
  /// Functions that reach outside the database, or whose cost no limit of SQLite bounds: `printf('%.*c', 900000000,
  /// 'x')` was measured at seconds under a length limit of 1 MB, and no interrupt reaches it.
  static let refusedFunctions: Set<String> = [
    "load_extension", "printf", "format", "fts3_tokenizer", "sqlite_log", "readfile", "writefile",
    "edit",
  ]

  static func function(_ name: String) -> Verdict {
    let name = name.lowercased()
    return refusedFunctions.contains(name)
      ? .refused("the function \(name)() is not allowed") : .allowed
  }

  /// Modules that CREATE VIRTUAL TABLE may use.
  static let modules: Set<String> = ["fts5", "fts5vocab", "rtree", "rtree_i32"]

  static func virtualTable(_ module: String) -> Verdict {
    let module = module.lowercased()
    return modules.contains(module)
      ? .allowed
      : .refused(
        "the module \(module) is not allowed: \(modules.sorted().joined(separator: ", ")) are")
  }

  /// Pragmas that only tell, with or without an argument.
  static let tellingPragmas: Set<String> = [
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
    "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check", "function_list",
    "collation_list", "module_list", "pragma_list", "compile_options", "database_list",
    "data_version", "page_count", "freelist_count",
  ]
  /// Pragmas that tell without an argument and set something a guest must not with one.
  static let readOnlyPragmas: Set<String> = [
    "application_id", "auto_vacuum", "cache_size", "encoding", "foreign_keys", "journal_mode",
    "max_page_count", "page_size", "recursive_triggers", "schema_version", "secure_delete",
    "synchronous", "busy_timeout", "query_only", "read_uncommitted", "trusted_schema",
    "wal_autocheckpoint", "locking_mode", "temp_store", "mmap_size", "cell_size_check",
  ]
  /// Pragmas that change only this database, or only the current transaction.
  static let writingPragmas: Set<String> = [
    "user_version", "application_id", "defer_foreign_keys", "optimize", "incremental_vacuum",
  ]

  static func pragma(_ name: String, _ argument: String?) -> Verdict {
    let name = name.lowercased()
    if tellingPragmas.contains(name) || writingPragmas.contains(name) { return .allowed }
    if readOnlyPragmas.contains(name) {
      return argument == nil
        ? .allowed : .refused("PRAGMA \(name) may be read here and not set")
    }
    return .refused("PRAGMA \(name) is not allowed")
  }
}
