// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLite
import Testing

@Suite struct `Many requests at once` {
  @Test func `are each answered once, writers among them`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE)")
    // Every tenth write breaks the constraint: its neighbours in the same commit must not notice.
    var writes: [Int64] = []
    var reads: [Int64] = []
    for index in 0..<200 {
      let value: JSONValue = index % 10 == 9 ? 0 : .int(Int64(index))
      writes.append(
        try socket.send("sql.execute", WorkerSocket.params("INSERT INTO t (a) VALUES (?)", [value]))
      )
      reads.append(
        try socket.send("sql.query", WorkerSocket.params("SELECT ?", [.int(Int64(index))])))
    }
    var answers: [Int64: Message.Response] = [:]
    while answers.count < 400 {
      guard case .response(let response) = try Message(try socket.frame().json),
        case .number(let id) = response.id
      else { continue }
      #expect(answers.updateValue(response, forKey: id) == nil)
    }
    for (index, id) in reads.enumerated() {
      guard case .result(let result)? = answers[id]?.outcome else { throw WorkerSocket.Ended() }
      #expect(result["rows"] == [[.int(Int64(index))]])
    }
    let failed = writes.indices.filter { index in
      if case .error(let error)? = answers[writes[index]]?.outcome {
        #expect(error.word == "conflict.constraint")
        return true
      }
      return false
    }
    #expect(failed == writes.indices.filter { $0 % 10 == 9 })
    #expect(try socket.rows("SELECT count(*) FROM t") == [[180]])
  }

  @Test func `one writer that rolls back takes nobody with it`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a UNIQUE)")
    try socket.execute("INSERT INTO t VALUES (0)")
    let hold = try socket.begin()
    var ids: [Int64] = []
    for index in 1...20 {
      let sql =
        index == 10 ? "INSERT OR ROLLBACK INTO t VALUES (0)" : "INSERT INTO t VALUES (\(index))"
      ids.append(try socket.send("sql.execute", WorkerSocket.params(sql)))
    }
    // All wait behind the transaction and are then done as one group.
    _ = try socket.send("sql.rollback", ["transaction": .int(hold)])
    var words: [Int64: String] = [:]
    for _ in 0..<21 {
      guard case .response(let response) = try Message(try socket.frame().json),
        case .number(let id) = response.id
      else { continue }
      if case .error(let error) = response.outcome { words[id] = error.word }
    }
    #expect(words == [ids[9]: "conflict.constraint"])
    #expect(try socket.rows("SELECT count(*) FROM t") == [[20]])
  }

  @Test func `a slow one does not hold up the others`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    let slow = try socket.send("sql.query", WorkerSocket.params(endless))
    // Answered while the first still runs, on the same socket.
    #expect(try socket.rows("SELECT 1") == [[1]])
    try socket.notify(.cancel(.number(slow)))
    #expect(try socket.answer(to: slow).word == "cancelled")
  }

  @Test func `a queue that is full refuses`() throws {
    let worker = try WorkerProcess(plan: ["queueMax": 2])
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let id = try socket.begin()
    let waiting = try (0..<2).map { _ in
      try socket.send("sql.execute", WorkerSocket.params("INSERT INTO t VALUES (1)"))
    }
    #expect(try socket.query("INSERT INTO t VALUES (1)").word == "overloaded.sql_queue")
    try socket.notify(.cancel(.number(waiting[0])))
    #expect(try socket.answer(to: waiting[0]).word == "cancelled")
    _ = try socket.send("sql.commit", ["transaction": .int(id)])
    #expect(try socket.answer(to: waiting[1]).error == nil)
    #expect(try socket.rows("SELECT count(*) FROM t") == [[1]])
  }

  @Test func `streams wait for credit while others are served`() throws {
    let worker = try WorkerProcess(plan: ["streamsMax": 2])
    let socket = worker.direct
    let sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i, hex(i) FROM n"
    let first = try socket.query(sql, stream: true)
    let second = try socket.query(sql, stream: true)
    let streams = [try #require(first.stream), try #require(second.stream)]
    #expect(try socket.query(sql, stream: true).word == "overloaded.sql_streams")
    #expect(try socket.rows("SELECT 1") == [[1]])
    for stream in streams {
      try socket.notify(.stop(stream: stream))
      while true {
        let frame = try socket.frame()
        guard frame.json["method"] == "$/data", frame.json["params"]?["stream"] == .int(stream)
        else {
          continue
        }
        #expect(frame.json["params"]?["end"] == true && frame.body.isEmpty)
        break
      }
    }
    #expect(try socket.streamed("SELECT 1") == [[1]])
  }

  @Test func `a stream whose reader sleeps is given up`() throws {
    let worker = try WorkerProcess(plan: ["streamStallMs": 100])
    let sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n"
    let answer = try worker.direct.query(sql, stream: true)
    #expect(answer.stream != nil)
    let frame = try worker.direct.frame()
    #expect(frame.json["params"]?["end"] == true)
    #expect(frame.json["params"]?["error"]?.string?.hasPrefix("deadline.stream") == true)
  }
}

/// Runs until it is stopped, asking the budget often.
let endless =
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
/// One step of SQLite that takes minutes and asks nobody.
let stuck =
  "SELECT instr(hex(zeroblob(2000000)), substr(hex(zeroblob(2000000)), 1, 1900000) || '1')"
