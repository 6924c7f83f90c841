// SPDX-License-Identifier: Apache-2.0
import CSQLite
import SQLEngine
import Testing

@Suite struct `The policy for statements` {
  let app = StatementPolicy(author: .app)

  @Test(
    arguments: [
      (SQLITE_ATTACH, "x.db", nil), (SQLITE_DETACH, "x", nil),
      (SQLITE_FUNCTION, nil, "load_extension"), (SQLITE_FUNCTION, nil, "PRINTF"),
      (SQLITE_FUNCTION, nil, "format"), (SQLITE_FUNCTION, nil, "fts3_tokenizer"),
      (SQLITE_PRAGMA, "writable_schema", "1"), (SQLITE_PRAGMA, "journal_mode", "off"),
      (SQLITE_PRAGMA, "Synchronous", "0"), (SQLITE_PRAGMA, "wal_checkpoint", nil),
      (SQLITE_PRAGMA, "max_page_count", "9"), (SQLITE_PRAGMA, "temp_store_directory", "'/'"),
      (SQLITE_PRAGMA, "mmap_size", "1"), (SQLITE_PRAGMA, "hard_heap_limit", "0"),
      (SQLITE_PRAGMA, "locking_mode", "exclusive"), (SQLITE_PRAGMA, "a_new_one", nil),
      (SQLITE_CREATE_VTABLE, "t", "fts3"), (SQLITE_CREATE_VTABLE, "t", "csv"),
      (SQLITE_TRANSACTION, "BEGIN", nil), (SQLITE_CREATE_TEMP_TABLE, "t", nil),
      (SQLITE_CREATE_TEMP_TRIGGER, "t", "u"), (SQLITE_INSERT, "bulkhead_migration", nil),
      (SQLITE_DROP_TABLE, "Bulkhead_Migration", nil),
      (SQLITE_CREATE_TRIGGER, "t", "bulkhead_migration"),
      (SQLITE_ALTER_TABLE, "main", "bulkhead_migration"), (9_999, nil, nil),
    ] as [(Int32, String?, String?)])
  func `refuses to an app, and says why`(action: Int32, first: String?, second: String?) {
    guard case .refused(let why) = app.verdict(action, first, second) else {
      Issue.record("allowed: \(action) \(first ?? "-") \(second ?? "-")")
      return
    }
    #expect(!why.isEmpty)
    #expect(StatementPolicy(author: .worker).verdict(action, first, second) == .allowed)
  }

  @Test(
    arguments: [
      (SQLITE_SELECT, nil, nil), (SQLITE_READ, "t", "a"), (SQLITE_INSERT, "t", nil),
      (SQLITE_FUNCTION, nil, "json_extract"), (SQLITE_FUNCTION, nil, "bm25"),
      (SQLITE_PRAGMA, "table_info", "t"), (SQLITE_PRAGMA, "journal_mode", nil),
      (SQLITE_PRAGMA, "user_version", "3"), (SQLITE_PRAGMA, "defer_foreign_keys", "1"),
      (SQLITE_CREATE_VTABLE, "t", "FTS5"), (SQLITE_CREATE_VTABLE, "t", "rtree"),
      (SQLITE_READ, "bulkhead_migration", "name"), (SQLITE_RECURSIVE, nil, nil),
    ] as [(Int32, String?, String?)])
  func `allows what apps live on`(action: Int32, first: String?, second: String?) {
    #expect(app.verdict(action, first, second) == .allowed)
  }

  @Test func `VACUUM may attach the nameless database it needs, and no other`() {
    var vacuum = app
    vacuum.kind = .vacuum
    #expect(vacuum.verdict(SQLITE_ATTACH, "", nil) == .allowed)
    #expect(vacuum.verdict(SQLITE_ATTACH, "/sql/other.sqlite", nil) != .allowed)
    #expect(app.verdict(SQLITE_ATTACH, "", nil) != .allowed)
  }

  @Test func `ALTER TABLE may use printf for itself, not for the app`() {
    var alter = app
    alter.kind = .alter
    #expect(alter.verdict(SQLITE_FUNCTION, nil, "printf") == .allowed)
    #expect(alter.verdict(SQLITE_FUNCTION, nil, "format") != .allowed)
  }

  @Test func `savepoints are left to the moment the statement runs`() {
    #expect(app.verdict(SQLITE_SAVEPOINT, "BEGIN", "a") == .transactional("BEGIN"))
  }

  @Test(
    arguments: [
      ("SELECT 1", .reading),
      ("  -- note\n/* more */ with a as (select 1) select * from a", .reading),
      ("pragma user_version", .describing), ("EXPLAIN SELECT 1", .describing),
      ("insert into t values (1)", .writing(isPlain: true)),
      ("CREATE TABLE t (a)", .writing(isPlain: false)), ("", .reading), ("-- no end", .reading),
    ] as [(String, StatementText.Approach)])
  func `the first word tells where a statement is tried first`(
    sql: String, approach: StatementText.Approach
  ) {
    #expect(StatementText.approach(sql) == approach)
  }
}
