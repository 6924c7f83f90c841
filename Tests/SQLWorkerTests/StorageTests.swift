// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import Testing

@Suite struct `Storage` {
  static let fill =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO t SELECT randomblob(1000) FROM n"

  @Test func `beyond its quota takes no writes, and goes on reading and deleting`() throws {
    let worker = try WorkerProcess(plan: ["quotaBytes": 1_000_000])
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    #expect(try socket.execute(Self.fill) == 400)
    #expect(try socket.execute(Self.fill) == 400)
    let full = try socket.query(Self.fill)
    #expect(full.word == "quota.storage" && full.error?.isRetryable == false)
    #expect(try socket.rows("SELECT count(*) FROM t") == [[800]])
    #expect(try socket.execute("DELETE FROM t") == 800)
    #expect(try socket.execute(Self.fill) == 400)
    let size = try #require(
      try socket.call("sql.databases", [:]).result["databases"]?.array?.first?["bytes"]?.int)
    #expect(size <= 1_000_000)
  }

  @Test func `is one for all databases of the app`() throws {
    let worker = try WorkerProcess(databases: ["main", "other"], plan: ["quotaBytes": 1_000_000])
    let socket = worker.direct
    func other(_ sql: String) throws -> WorkerSocket.Answer {
      try socket.call("sql.execute", ["database": "other", "sql": .string(sql)])
    }
    try socket.execute("CREATE TABLE t (a)")
    _ = try other("CREATE TABLE t (a)")
    #expect(try socket.execute(Self.fill) == 400)
    #expect(try other(Self.fill).result["changes"] == 400)
    #expect(try socket.query(Self.fill).word == "quota.storage")
    #expect(try other(Self.fill).word == "quota.storage")
    #expect(try other("DROP TABLE t").error == nil)
    #expect(try other("VACUUM").error == nil)
    #expect(try socket.execute(Self.fill) == 400)
  }

  @Test func `grows and shrinks as the host says`() throws {
    let worker = try WorkerProcess(plan: ["quotaBytes": 100_000])
    let socket = worker.control
    try socket.execute("CREATE TABLE t (a)")
    #expect(try socket.query(Self.fill).word == "quota.storage")
    try socket.notify("sql.quota", ["bytes": 10_000_000])
    #expect(try socket.execute(Self.fill) == 400)
    try socket.notify("sql.quota", ["bytes": 100_000])
    #expect(try socket.query(Self.fill).word == "quota.storage")
    #expect(try socket.execute("DELETE FROM t WHERE rowid = 1") == 1)
  }

  @Test func `an answer that fails leaves nothing of a RETURNING behind`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let sql = Self.fill + " RETURNING hex(a)"
    for stream in [false, true] {
      #expect(try socket.query(sql, stream: stream).word == "sql.too_large")
      #expect(try socket.rows("SELECT count(*) FROM t") == [[0]])
    }
    let id = try socket.begin()
    #expect(try socket.query(sql, in: id).word == "sql.too_large")
    try socket.execute("INSERT INTO t VALUES (1)", in: id)
    #expect(try socket.call("sql.commit", ["transaction": .int(id)]).error == nil)
    #expect(try socket.rows("SELECT count(*) FROM t") == [[1]])
  }

  private func limitFiles(of worker: WorkerProcess, to bytes: Int) throws {
    let process = try Process.run(
      URL(fileURLWithPath: "/usr/bin/prlimit"),
      arguments: ["--pid", "\(worker.pid)", "--fsize=\(bytes):"])
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test func `a file that may not grow is an error of the statement, and the worker goes on`()
    throws
  {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    #expect(try socket.execute(Self.fill) == 400)
    try limitFiles(of: worker, to: 600_000)
    let full = try socket.query(Self.fill)
    #expect(full.word == "quota.storage", "\(String(describing: full.error))")
    #expect(try socket.rows("SELECT count(*) FROM t") == [[400]])
    try limitFiles(of: worker, to: 1 << 30)
    #expect(try socket.execute(Self.fill) == 400)
  }

  @Test func `memory has a bound of its own`() throws {
    let worker = try WorkerProcess(plan: ["heapBytes": 16_777_216])
    let sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT randomblob(2000) AS b FROM n ORDER BY b LIMIT 1 OFFSET 99999"
    #expect(try worker.direct.query(sql).word == "quota.memory")
    #expect(try worker.direct.rows("SELECT 1") == [[1]])
  }
}
