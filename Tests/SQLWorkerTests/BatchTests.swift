// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLite
import Testing

@Suite struct `Batches` {
  func batch(_ statements: JSONValue, in transaction: Int64? = nil) -> JSONValue {
    var params = JSONObject([("database", "main"), ("statements", statements)])
    if let transaction { params["transaction"] = .int(transaction) }
    return .object(params)
  }

  @Test func `are kept whole or not at all`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a UNIQUE)")
    let good = try socket.call(
      "sql.batch",
      batch([
        ["sql": "INSERT INTO t VALUES (?)", "params": [1]],
        ["sql": "INSERT INTO t VALUES (?)", "rows": [[2], [3]]],
        ["sql": "SELECT count(*) AS n FROM t"],
      ]))
    #expect(
      try good.result["results"] == [
        ["changes": 1, "lastInsertRowId": 1], ["changes": 2, "lastInsertRowId": 3],
        ["columns": ["n"], "rows": [[3]]],
      ])
    let bad = try socket.call(
      "sql.batch",
      batch([["sql": "INSERT INTO t VALUES (4)"], ["sql": "INSERT INTO t VALUES (1)"]]))
    #expect(bad.word == "conflict.constraint" && bad.error?.data["statement"] == 1)
    #expect(try socket.rows("SELECT max(a) FROM t") == [[3]])
  }

  @Test func `roll back with a statement that rolls back by itself`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a UNIQUE)")
    let answer = try socket.call(
      "sql.batch",
      batch([
        ["sql": "INSERT INTO t VALUES (1)"], ["sql": "INSERT OR ROLLBACK INTO t VALUES (1)"],
      ]))
    #expect(answer.word == "conflict.constraint")
    #expect(try socket.rows("SELECT count(*) FROM t") == [[0]])
    #expect(try socket.execute("INSERT INTO t VALUES (5)") == 1)
  }

  @Test func `take many rows in the body`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a, b, c, d)")
    let rows: [[SQLiteValue]] = (0..<10_000).map {
      [.integer($0), .text("name \($0)"), .real(Double($0) / 2), $0 % 3 == 0 ? .null : .blob([1])]
    }
    let chunk = Columns.encode(rows, mixed: false)
    let answer = try socket.call(
      "sql.batch",
      batch([
        [
          "sql": "INSERT INTO t VALUES (?, ?, ?, ?)",
          "rows": ["body": [3, .int(Int64(chunk.count))]],
        ]
      ]), body: [9, 9, 9] + chunk)
    #expect(try answer.result["results"]?.array?.first?["changes"] == 10_000)
    #expect(try socket.streamed("SELECT * FROM t ORDER BY rowid") == rows)
  }

  @Test func `with rows that do not fit the statement are refused whole`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a, b)")
    let chunk = Columns.encode([[.integer(1)]])
    let place: JSONValue = ["body": [0, .int(Int64(chunk.count))]]
    for statements: JSONValue in [
      [["sql": "INSERT INTO t VALUES (?, ?)", "rows": place]],
      [["sql": "INSERT INTO t VALUES (?, 1)", "rows": ["body": [1, .int(Int64(chunk.count))]]]],
      [["sql": "INSERT INTO t VALUES (?, 1)", "rows": ["body": [0, 5]]]],
      [["sql": "INSERT INTO t VALUES (?, 1)", "rows": [[1], [1, 2]]]],
      [["sql": "INSERT INTO t VALUES (1, 1)"], ["sql": "INSERT INTO t VALUES (?, 1)", "rows": 5]],
      [["sql": "INSERT INTO t VALUES (?, 1)", "rows": [], "params": []]],
      ["INSERT"], [["params": []]],
    ] {
      #expect(try socket.call("sql.batch", batch(statements), body: chunk).word == "params")
    }
    #expect(try socket.rows("SELECT count(*) FROM t") == [[0]])
  }

  @Test func `stand inside an interactive transaction and fail alone`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a UNIQUE)")
    let id = try socket.begin()
    #expect(
      try socket.call("sql.batch", batch([["sql": "INSERT INTO t VALUES (1)"]], in: id)).error
        == nil)
    #expect(
      try socket.call(
        "sql.batch",
        batch([["sql": "INSERT INTO t VALUES (2)"], ["sql": "INSERT INTO t VALUES (1)"]], in: id)
      ).word == "conflict.constraint")
    #expect(try socket.call("sql.commit", ["transaction": .int(id)]).error == nil)
    #expect(try socket.rows("SELECT a FROM t") == [[1]])
  }

  @Test func `over the limit of statements are refused`() throws {
    let worker = try WorkerProcess()
    let many = JSONValue.array(Array(repeating: ["sql": "SELECT 1"], count: 1_001))
    #expect(try worker.direct.call("sql.batch", batch(many)).word == "params")
  }
}
