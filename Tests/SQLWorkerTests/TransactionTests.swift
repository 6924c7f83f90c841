// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite struct `Interactive transactions` {
  @Test func `see their own writes; others see them after the commit`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let snapshot = try socket.begin("read")
    let id = try socket.begin()
    try socket.execute("INSERT INTO t VALUES (1)", in: id)
    #expect(try socket.rows("SELECT count(*) FROM t", in: id) == [[1]])
    #expect(try socket.rows("SELECT count(*) FROM t") == [[0]])
    #expect(try worker.control.rows("SELECT count(*) FROM t", in: id) == [[1]])
    #expect(try socket.call("sql.commit", ["transaction": .int(id)]).error == nil)
    #expect(try socket.rows("SELECT count(*) FROM t") == [[1]])
    #expect(try socket.rows("SELECT count(*) FROM t", in: snapshot) == [[0]])
    #expect(try socket.call("sql.rollback", ["transaction": .int(snapshot)]).error == nil)
  }

  @Test func `nest with savepoints`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let id = try socket.begin()
    try socket.execute("INSERT INTO t VALUES (1)", in: id)
    try socket.execute("SAVEPOINT one", in: id)
    try socket.execute("INSERT INTO t VALUES (2)", in: id)
    try socket.execute("ROLLBACK TO one", in: id)
    try socket.execute("RELEASE one", in: id)
    #expect(try socket.query("COMMIT", in: id).word == "permission.sql")
    #expect(try socket.call("sql.commit", ["transaction": .int(id)]).error == nil)
    #expect(try socket.rows("SELECT a FROM t") == [[1]])
    // Compiled once inside a transaction, it is still refused outside.
    #expect(try socket.query("SAVEPOINT one").word == "permission.sql")
  }

  @Test func `end at their deadline, and whoever waits goes on`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let id = try socket.begin(deadlineMs: 200)
    try socket.execute("INSERT INTO t VALUES (1)", in: id)
    // Waits for the writer until the transaction is over.
    #expect(try socket.execute("INSERT INTO t VALUES (2)") == 1)
    #expect(try socket.query("SELECT 1", in: id).word == "not_found.transaction")
    #expect(
      try socket.call("sql.commit", ["transaction": .int(id)]).word == "not_found.transaction")
    #expect(try socket.rows("SELECT a FROM t") == [[2]])
  }

  @Test func `a request that waits longer than it can is told so`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let id = try socket.begin()
    let waiting = try socket.call(
      "sql.execute", WorkerSocket.params("INSERT INTO t VALUES (2)"), deadlineMs: 100)
    #expect(waiting.word == "overloaded.sql_busy" && waiting.error?.isRetryable == true)
    #expect(try socket.call("sql.rollback", ["transaction": .int(id)]).error == nil)
    #expect(try socket.rows("SELECT count(*) FROM t") == [[0]])
  }

  @Test func `open at once are bounded`() throws {
    let worker = try WorkerProcess(plan: ["transactionsMax": 2])
    let first = try worker.direct.begin("read")
    _ = try worker.direct.begin("read")
    let third = try worker.direct.call("sql.begin", ["database": "main"])
    #expect(third.word == "overloaded.sql_transactions")
    _ = try worker.direct.call("sql.rollback", ["transaction": .int(first)])
    _ = try worker.direct.begin()
  }

  @Test func `are rolled back when the guest goes`() throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a)")
    let id = try worker.direct.begin(deadlineMs: 60_000)
    try worker.direct.execute("INSERT INTO t VALUES (1)", in: id)
    worker.direct.close()
    _ = try worker.control.notification("sql.direct_ended")
    #expect(try worker.control.execute("INSERT INTO t VALUES (2)") == 1)
    #expect(try worker.control.rows("SELECT a FROM t") == [[2]])
  }

  @Test func `relayed ones are rolled back when the host says that the guest went`() throws {
    let worker = try WorkerProcess()
    try worker.control.execute("CREATE TABLE t (a)")
    let id = try worker.control.begin(deadlineMs: 60_000)
    try worker.control.execute("INSERT INTO t VALUES (1)", in: id)
    try worker.control.notify("sql.guest_ended", [:])
    #expect(try worker.control.execute("INSERT INTO t VALUES (2)") == 1)
    #expect(try worker.control.rows("SELECT a FROM t") == [[2]])
  }

  @Test func `a commit that a deferred constraint refuses can be mended`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    try socket.execute("CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
    let id = try socket.begin()
    try socket.execute("INSERT INTO c VALUES (1)", in: id)
    #expect(try socket.call("sql.commit", ["transaction": .int(id)]).word == "conflict.constraint")
    try socket.execute("INSERT INTO p VALUES (1)", in: id)
    #expect(try socket.call("sql.commit", ["transaction": .int(id)]).error == nil)
    #expect(try socket.rows("SELECT count(*) FROM c") == [[1]])
    // Foreign keys hold without being asked for.
    #expect(try socket.query("INSERT INTO c VALUES (9)").word == "conflict.constraint")
  }

  @Test func `one that SQLite rolled back is over`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a UNIQUE)")
    let id = try socket.begin()
    try socket.execute("INSERT INTO t VALUES (1)", in: id)
    #expect(
      try socket.query("INSERT OR ROLLBACK INTO t VALUES (1)", in: id).word == "conflict.constraint"
    )
    #expect(try socket.query("SELECT 1", in: id).word == "not_found.transaction")
    #expect(try socket.execute("INSERT INTO t VALUES (1)") == 1)
  }

  @Test func `a reading one refuses to write, a wrong one is told so`() throws {
    let worker = try WorkerProcess(databases: ["main", "other"])
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let id = try socket.begin("read")
    #expect(try socket.query("INSERT INTO t VALUES (1)", in: id).word == "sql.read_only")
    #expect(
      try socket.call(
        "sql.query", ["database": "other", "sql": "SELECT 1", "transaction": .int(id)]
      )
      .word == "params")
    #expect(try socket.query("SELECT 1", in: 999).word == "not_found.transaction")
    #expect(try socket.call("sql.begin", ["database": "main", "mode": "x"]).word == "params")
    #expect(try socket.call("sql.begin", ["database": "main", "deadlineMs": 0]).word == "params")
    #expect(try socket.call("sql.commit", [:]).word == "params")
  }
}
