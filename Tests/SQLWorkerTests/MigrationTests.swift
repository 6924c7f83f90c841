// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite struct `Migrations` {
  func worker(
    _ files: [String: String], on data: TemporaryDirectory
  ) throws -> WorkerProcess {
    let version = try TemporaryDirectory()
    for (name, text) in files { try version.write(text, to: name) }
    kept.append(version)
    return try WorkerProcess(
      in: data, databases: [],
      plan: ["databases": [["name": "main", "migrations": .string(version.path)]]])
  }
  /// Directories that must outlive the workers.
  final class Kept {
    var directories: [TemporaryDirectory] = [];
    func append(_ it: TemporaryDirectory) { directories.append(it) }
  }
  let kept = Kept()

  static let first = "CREATE TABLE t (a); -- one\nINSERT INTO t VALUES (1);\n"
  static let second = "ALTER TABLE t ADD COLUMN b DEFAULT 2;"

  @Test func `are applied in order, each once`() throws {
    let data = try TemporaryDirectory()
    let files = ["002-b.sql": Self.second, "001-a.sql": Self.first, "notes.txt": "nonsense"]
    for _ in 0..<2 {
      let worker = try worker(files, on: data)
      #expect(try worker.direct.rows("SELECT a, b FROM t") == [[1, 2]])
      #expect(
        try worker.direct.rows("SELECT name FROM bulkhead_migration ORDER BY name")
          == [["001-a.sql"], ["002-b.sql"]])
      worker.kill9()
    }
  }

  @Test func `that fail leave the database as it was, and say where`() throws {
    let data = try TemporaryDirectory()
    try worker(["001-a.sql": Self.first], on: data).direct.execute("INSERT INTO t VALUES (7)")
    let bad = try worker(
      [
        "001-a.sql": Self.first, "002-b.sql": Self.second,
        "003-c.sql": "CREATE TABLE u (x);\nSELECT nope;",
      ],
      on: data)
    for _ in 0..<2 {
      let error = try #require(try bad.direct.query("SELECT 1").error)
      #expect(error.word == "sql.migration" && error.data["offset"] == 27)
      #expect(error.message.contains("003-c.sql"))
    }
    bad.kill9()
    let again = try worker(["001-a.sql": Self.first], on: data)
    #expect(try again.direct.rows("SELECT * FROM t") == [[1], [7]])
    #expect(try again.direct.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'u'") == [[0]])
  }

  @Test func `that changed or vanished stop the database`() throws {
    let data = try TemporaryDirectory()
    let files = ["001-a.sql": Self.first, "002-b.sql": Self.second]
    #expect(try worker(files, on: data).direct.rows("SELECT 1") == [[1]])
    let changed = try worker(["001-a.sql": Self.first + " ", "002-b.sql": Self.second], on: data)
    #expect(try changed.direct.query("SELECT 1").word == "sql.migration")
    let older = try worker(["001-a.sql": Self.first], on: data)
    #expect(try older.direct.query("SELECT 1").error?.message.contains("older version") == true)
  }

  @Test(arguments: [
    "ATTACH 'x' AS y", "PRAGMA journal_mode=OFF", "BEGIN", "COMMIT", "SAVEPOINT a",
    "INSERT INTO bulkhead_migration VALUES ('x', 'y', 'z')", "DROP TABLE bulkhead_migration",
    "SELECT printf('%d', 1)",
  ])
  func `may do no more than the app`(sql: String) throws {
    let worker = try worker(["001.sql": "CREATE TABLE t (a); \(sql)"], on: try TemporaryDirectory())
    #expect(try worker.direct.query("SELECT 1").word == "sql.migration")
  }

  @Test func `cannot be undone by the app`() throws {
    let worker = try worker(["001.sql": Self.first], on: try TemporaryDirectory())
    for sql in [
      "DELETE FROM bulkhead_migration", "UPDATE bulkhead_migration SET name = 'x'",
      "DROP TABLE bulkhead_migration", "ALTER TABLE bulkhead_migration RENAME TO x",
      "CREATE TRIGGER g AFTER INSERT ON bulkhead_migration BEGIN DELETE FROM t; END",
    ] { #expect(try worker.direct.query(sql).word == "permission.sql") }
  }
}
