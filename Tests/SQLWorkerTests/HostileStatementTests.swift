// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite struct `Hostile statements` {
  static let refused = [
    "ATTACH '/etc/passwd' AS x", "ATTACH ':memory:' AS x", "ATTACH '' AS x", "DETACH main",
    "VACUUM INTO '/tmp/stolen.sqlite'", "VACUUM main INTO 'x'",
    "SELECT load_extension('/lib/x86_64-linux-gnu/libc.so.6')",
    "SELECT printf('%.*c', 900000000, 'x')", "SELECT format('%.*c', 900000000, 'x')",
    "SELECT PrintF('%d', 1)", "SELECT \"printf\"('%d', 1)",
    "SELECT fts3_tokenizer('simple', x'4141414141414141')", "SELECT sqlite_log(1, 'x')",
    "PRAGMA writable_schema=ON", "PRAGMA main.writable_schema=1", "PRAGMA journal_mode=OFF",
    "PRAGMA journal_mode=DELETE", "PRAGMA synchronous=OFF", "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA max_page_count=1000000", "PRAGMA page_size=512", "PRAGMA mmap_size=1000000000",
    "PRAGMA cache_size=-1000000000", "PRAGMA temp_store_directory='/'", "PRAGMA trusted_schema=ON",
    "PRAGMA foreign_keys=OFF", "PRAGMA query_only=OFF", "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_autocheckpoint=0", "PRAGMA hard_heap_limit=0", "PRAGMA soft_heap_limit=0",
    "PRAGMA threads=8", "PRAGMA busy_timeout=1000000", "PRAGMA secure_delete=OFF",
    "PRAGMA case_sensitive_like=ON", "PRAGMA ignore_check_constraints=ON",
    "PRAGMA legacy_alter_table=ON",
    "PRAGMA schema_version=1", "PRAGMA shrink_memory", "PRAGMA read_uncommitted=1",
    "SELECT * FROM pragma_wal_checkpoint", "CREATE TEMP TABLE x (a)",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE VIRTUAL TABLE x USING fts3(a)", "CREATE VIRTUAL TABLE x USING fts4(a)",
    "CREATE VIRTUAL TABLE x USING dbstat(main)",
    "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')",
    "BEGIN", "BEGIN EXCLUSIVE", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a",
    "CREATE TABLE x (a CHECK (printf('%d', a) = '1'))", "CREATE INDEX x ON t (printf('%d', a))",
    "ALTER TABLE t ADD COLUMN z CHECK (length(printf('%.*c', 900000000, 'x')) > 0)",
    "ALTER TABLE t ADD COLUMN z AS (PRINTF('%d', a))",
    "INSERT INTO t (a) VALUES (format('%d', 1))", "DELETE FROM t WHERE a = printf('%d', 1)",
    "EXPLAIN SELECT printf('%d', 1)", "WITH x AS (SELECT printf('%d', 1)) SELECT * FROM x",
    "SELECT * FROM (SELECT load_extension('x'))",
  ]

  @Test func `are refused by name, and the worker goes on`() throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a)")
    try worker.direct.execute("INSERT INTO t VALUES (1)")
    for sql in Self.refused {
      for method in ["sql.query", "sql.execute"] {
        let answer = try worker.direct.call(method, WorkerSocket.params(sql))
        let isNoModule = answer.error?.message.hasPrefix("no such") == true
        #expect(answer.word == "permission.sql" || isNoModule, "\(sql) → \(answer.outcome)")
      }
      let batch = try worker.direct.call(
        "sql.batch", ["database": "main", "statements": [["sql": .string(sql)]]])
      #expect(batch.error != nil, "\(sql) in a batch")
    }
    #expect(try worker.direct.rows("SELECT * FROM t") == [[1]])
    #expect(try worker.direct.rows("PRAGMA journal_mode") == [["wal"]])
    #expect(try worker.direct.rows("PRAGMA foreign_keys") == [[1]])
  }

  @Test(arguments: [
    "UPDATE sqlite_schema SET sql = 'x'", "DELETE FROM sqlite_schema", "DROP TABLE sqlite_schema",
    "INSERT INTO sqlite_schema VALUES (1, 2, 3, 4, 5)", "UPDATE f_data SET block = x'00'",
    "CREATE TABLE sqlite_x (a)", "SELECT edit('x')", "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')", "SELECT unknown_function()",
    "SELECT \"a string, not a column\"", "SELECT 1; DROP TABLE t", "SELECT 1 UNION SELECT",
    "", " -- nothing\n", "SELECT 'a\u{0}b'",
  ])
  func `fail with an error of their own`(sql: String) throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a)")
    try worker.direct.execute("CREATE VIRTUAL TABLE f USING fts5(a)")
    let answer = try worker.direct.query(sql)
    #expect(["sql.error", "permission.sql", "params"].contains(answer.word), "\(answer.outcome)")
    #expect(try worker.direct.rows("SELECT count(*) FROM t") == [[0]])
  }

  @Test func `that grow past a limit are refused`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    #expect(try socket.query("SELECT zeroblob(5000000)").word == "sql.too_large")
    #expect(try socket.query("SELECT randomblob(5000000)").word == "sql.too_large")
    #expect(
      try socket.query("SELECT " + String(repeating: "1+", count: 600) + "1").word == "sql.error")
    let wide = (0..<1_100).map { "c\($0)" }.joined(separator: ",")
    #expect(try socket.query("CREATE TABLE w (\(wide))").word == "sql.error")
    let compound = Array(repeating: "SELECT 1", count: 300).joined(separator: " UNION ALL ")
    #expect(try socket.query(compound).word == "sql.error")
    let pattern = String(repeating: "%a", count: 200)
    #expect(try socket.query("SELECT 'x' LIKE ?", [.string(pattern)]).word == "sql.error")
    let long = "SELECT '" + String(repeating: "x", count: 140_000) + "'"
    #expect(try socket.query(long).word == "params")
    #expect(try socket.query("SELECT ?40000").word == "sql.error")
    // Triggers that call themselves stop at 32 levels.
    try socket.execute("PRAGMA user_version=1")
    #expect(try socket.rows("SELECT 1") == [[1]])
  }

  @Test func `a view or a trigger cannot do what a statement may not`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    // SQLite looks into the body of a view when it is used.
    _ = try socket.query("CREATE VIEW v AS SELECT printf('%.*c', 900000000, 'x')")
    #expect(try socket.query("SELECT * FROM v").error != nil)
    _ = try socket.query(
      "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT load_extension('x'); END")
    let insert = try socket.query("INSERT INTO t VALUES (1)")
    // Either the trigger cannot be made, or what fires it fails: load_extension is never reached.
    let made = try socket.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'g'")
    #expect(insert.error != nil || made == [[0]])
  }

  @Test func `what apps live on works`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT) STRICT")
    try socket.execute("ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 7")
    try socket.execute("ALTER TABLE t RENAME COLUMN b TO c")
    try socket.execute("INSERT INTO t (a) VALUES ('x')")
    #expect(try socket.rows("SELECT a, c FROM t") == [["x", 7]])
    try socket.execute("ALTER TABLE t DROP COLUMN c")
    try socket.execute("CREATE VIRTUAL TABLE f USING fts5(body)")
    try socket.execute("INSERT INTO f VALUES ('the quick brown fox')")
    #expect(
      try socket.rows("SELECT highlight(f, 0, '[', ']') FROM f WHERE f MATCH 'quick'") == [
        ["the [quick] brown fox"]
      ])
    #expect(try socket.rows("SELECT value FROM json_each('[1,2]')") == [[1], [2]])
    try socket.execute("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)")
    #expect(try socket.rows("PRAGMA table_info(t)").array?.count == 2)
    try socket.execute("VACUUM")
    try socket.execute("PRAGMA optimize")
    try socket.execute("PRAGMA user_version=42")
    #expect(try socket.rows("PRAGMA user_version") == [[42]])
    try socket.execute("CREATE VIEW v AS SELECT a FROM t")
    try socket.execute("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = upper(a); END")
    #expect(try socket.execute("INSERT INTO t (a) VALUES ('y')") == 1)
    #expect(try socket.rows("SELECT a FROM v") == [["X"], ["Y"]])
    #expect(try socket.rows("INSERT INTO t (a) VALUES ('z') RETURNING id") == [[3]])
    #expect(try socket.rows("SELECT quote(changes()), sqlite_version() <> ''") == [["0", 1]])
    try socket.execute("REINDEX")
    try socket.execute("ANALYZE")
  }

  @Test func `an error tells the extended code and the offset`() throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a UNIQUE)")
    try worker.direct.execute("INSERT INTO t VALUES (1)")
    let unique = try #require(try worker.direct.query("INSERT INTO t VALUES (1)").error)
    #expect(unique.word == "conflict.constraint" && unique.data["extended"] == 2_067)
    let column = try #require(try worker.direct.query("SELECT a, nope FROM t").error)
    #expect(column.word == "sql.error" && column.data["offset"] == 10)
  }
}
