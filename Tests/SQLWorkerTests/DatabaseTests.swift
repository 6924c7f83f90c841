// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLite
import Testing

@Suite struct `Databases` {
  @Test func `are made, listed and deleted`() throws {
    let worker = try WorkerProcess(plan: ["createMax": 1])
    let socket = worker.direct
    func make(_ name: String) throws -> String? {
      try socket.call("sql.create", ["database": .string(name)]).word
    }
    #expect(try make("notes") == nil)
    #expect(try make("notes") == "conflict.database")
    #expect(try make("main") == "conflict.database")
    #expect(try make("more") == "quota.databases")
    for name in ["../x", "", "A", "a.b", "a/b", "notes.sqlite"] {
      #expect(try make(name) == "params")
    }
    let names = try socket.call("sql.databases", [:]).result["databases"]?.array?
      .map { [$0["name"], $0["declared"]] }
    #expect(names == [["main", true], ["notes", false]])
    let query: JSONValue = ["database": "notes", "sql": "CREATE TABLE t (a)"]
    #expect(try socket.call("sql.execute", query).error == nil)
    #expect(try socket.call("sql.delete", ["database": "notes"]).error == nil)
    #expect(try socket.call("sql.execute", query).word == "not_found.database")
    #expect(try make("more") == nil)
    // A declared database is there again, empty.
    try socket.execute("CREATE TABLE t (a)")
    #expect(try socket.call("sql.delete", ["database": "main"]).error == nil)
    try socket.execute("CREATE TABLE t (a)")
  }

  @Test func `nobody declared are not there`() throws {
    let worker = try WorkerProcess()
    let params: JSONValue = ["database": "secret", "sql": "SELECT 1"]
    #expect(try worker.direct.call("sql.query", params).word == "not_found.database")
    #expect(try worker.direct.call("sql.create", ["database": "x"]).word == "quota.databases")
    #expect(try worker.direct.call("sql.query", ["sql": "SELECT 1"]).word == "params")
    #expect(try worker.direct.call("sql.query", ["database": "main"]).word == "params")
    #expect(try worker.direct.call("sql.nothing", [:]).word == "method")
    // What only the host may say.
    #expect(try worker.direct.call("worker.shutdown", [:]).word == "method")
    #expect(try worker.direct.call("worker.stats", [:]).word == "method")
  }

  @Test func `in use are not deleted under their readers`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    let id = try socket.begin("read")
    #expect(
      try socket.call("sql.delete", ["database": "main"], deadlineMs: 100).word
        == "overloaded.sql_busy")
    #expect(try socket.rows("SELECT count(*) FROM t", in: id) == [[0]])
    #expect(try socket.call("sql.rollback", ["transaction": .int(id)]).error == nil)
    #expect(try socket.rows("SELECT count(*) FROM t") == [[0]])
    #expect(try socket.call("sql.delete", ["database": "main"]).error == nil)
  }

  @Test func `are backed up while they are written`() throws {
    let worker = try WorkerProcess(plan: ["createMax": 1])
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (a)")
    try socket.execute(Storage.fill)
    let made = try socket.call("sql.backup", ["database": "main", "to": "copy"]).result
    #expect(made["database"] == "copy" && (made["bytes"]?.int ?? 0) > 400_000)
    try socket.execute("DELETE FROM t")
    let copied = try socket.call(
      "sql.query", ["database": "copy", "sql": "SELECT count(*) FROM t"])
    #expect(try copied.result["rows"] == [[400]])
    #expect(
      try socket.call("sql.backup", ["database": "main", "to": "copy"]).word == "conflict.database")
    #expect(
      try socket.call("sql.backup", ["database": "main", "to": "more"]).word == "quota.databases")
  }

  @Test func `are backed up into a stream that is a database file`() throws {
    let worker = try WorkerProcess()
    let socket = worker.control
    try socket.execute("CREATE TABLE t (a)")
    try socket.execute(Storage.fill)
    let answer = try socket.call("sql.backup", ["database": "main"])
    let stream = try #require(answer.stream)
    var bytes = answer.body
    var isOver = false
    while !isOver {
      let frame = try socket.frame()
      guard frame.json["method"] == "$/data" else { continue }
      bytes += frame.body
      isOver = frame.json["params"]?["end"] == true
      #expect(frame.json["params"]?["error"] == nil)
      if !frame.body.isEmpty { try socket.notify(.credit(stream: stream, bytes: frame.body.count)) }
    }
    #expect(try answer.result["bytes"] == .int(Int64(bytes.count)))
    try worker.directory.write(bytes, to: "restored.sqlite")
    let restored = try SQLiteConnection(path: "\(worker.directory.path)/restored.sqlite")
    #expect(try restored.run("SELECT count(*) FROM t")[0][0] == 400)
    #expect(try restored.run("PRAGMA integrity_check")[0][0] == "ok")
  }

  @Test func `are explained without being run`() throws {
    let worker = try WorkerProcess()
    let socket = worker.direct
    try socket.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    let plan = try socket.call(
      "sql.explain", ["database": "main", "sql": "SELECT a AS b FROM t WHERE id = :id"]
    ).result
    #expect(plan["readOnly"] == true && plan["parameters"] == ["id"] && plan["columns"] == ["b"])
    #expect(
      plan["plan"]?["rows"]?.array?.first?.array?.last?.string?.contains("PRIMARY KEY") == true)
    let delete = try socket.call("sql.explain", ["database": "main", "sql": "DELETE FROM t"]).result
    #expect(delete["readOnly"] == false)
    #expect(
      try socket.call("sql.explain", ["database": "main", "sql": "nonsense"]).word == "sql.error")
  }

  @Test func `figures reach the host, and a shutdown folds the log in`() throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a)")
    #expect(try worker.direct.execute("INSERT INTO t VALUES (1), (2)") == 2)
    #expect(try worker.direct.rows("SELECT * FROM t") == [[1], [2]])
    let stats = try worker.control.call("worker.stats", [:]).result
    #expect(stats["calls"] == 4 && stats["rowsRead"] == 2 && stats["rowsWritten"] == 2)
    #expect((stats["bytesRead"]?.int ?? 0) > 0 && (stats["busyMicroseconds"]?.int ?? 0) > 0)
    let size = stats["databases"]?.array?.first?["bytes"]?.int ?? 0
    #expect(size + (stats["databases"]?.array?.first?["walBytes"]?.int ?? 0) > 0)
    #expect(try worker.control.call("worker.shutdown", [:]).error == nil)
    #expect(worker.wait() == 0)
    #expect(throws: (any Error).self) { try worker.directory.read("main.sqlite-wal") }
    let reader = try SQLiteConnection(path: "\(worker.directory.path)/main.sqlite")
    #expect(try reader.run("SELECT count(*) FROM t")[0][0] == 2)
  }

  @Test func `a guest that breaks the protocol is named to the host`() throws {
    let worker = try WorkerProcess()
    try worker.direct.write([0, 0, 0, 3, 0, 0, 0, 2])
    let violation = try worker.control.notification("sql.violation")
    #expect(violation["reason"] == "frame.length" && violation["socket"] == "direct")
    #expect(throws: WorkerSocket.Ended.self) { try worker.direct.frame() }
    #expect(try worker.control.rows("SELECT 1") == [[1]])
  }
}
