// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite struct `Deadlines` {
  @Test func `stop a statement and leave nothing of it`() throws {
    let worker = try WorkerProcess(plan: ["deadlineMs": 200])
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    #expect(try socket.query(endless).word == "deadline.sql")
    let write = try socket.query(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO t SELECT i FROM n"
    )
    #expect(write.word == "deadline.sql" && write.error?.isRetryable == true)
    #expect(try socket.rows("SELECT count(*) FROM t") == [[0]])
  }

  @Test func `of a request hold, up to what the plan allows`() throws {
    let worker = try WorkerProcess(plan: ["deadlineMs": 60_000, "deadlineMaxMs": 200])
    #expect(try worker.direct.query(endless, deadlineMs: 60_000).word == "deadline.sql")
    #expect(try worker.direct.query(endless, deadlineMs: 50).word == "deadline.sql")
  }

  @Test func `that a statement cannot notice end the worker, every request answered first`() throws
  {
    let worker = try WorkerProcess(plan: ["graceMs": 100])
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    try socket.execute("INSERT INTO t VALUES (1)")
    let other = try socket.send("sql.query", WorkerSocket.params(endless), deadlineMs: 20_000)
    let hold = try socket.begin(deadlineMs: 20_000)
    let waiting = try socket.send(
      "sql.execute", WorkerSocket.params("INSERT INTO t VALUES (2)"), deadlineMs: 20_000)
    let culprit = try socket.send("sql.query", WorkerSocket.params(stuck), deadlineMs: 300)
    // Others are served while it does not come back.
    #expect(try socket.rows("SELECT a FROM t") == [[1]])
    var words: [Int64: String] = [:]
    while let frame = try? socket.frame() {
      guard case .response(let response) = try Message(frame.json),
        case .number(let id) = response.id, case .error(let error) = response.outcome
      else { continue }
      words[id] = error.word
    }
    #expect(
      words == [
        culprit: "deadline.sql", other: "sql.interrupted", waiting: "overloaded.sql_restarted",
      ])
    #expect(hold > 0)
    #expect(try worker.control.notification("sql.gave_up")["reason"] == "deadline.sql")
    #expect(worker.wait() == 3)
    let next = try WorkerProcess(in: worker.directory)
    #expect(try next.direct.rows("SELECT a FROM t") == [[1]])
  }
}
