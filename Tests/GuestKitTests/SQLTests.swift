// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import GuestKit
import Testing

@Suite("SQL of a Swift guest", .timeLimit(.minutes(1)))
struct SQLTests {
  /// A guest that runs `body` once, and the worker's end of its own SQL socket.
  private func guest(
    _ body: @escaping @Sendable (Host) async throws -> String
  ) throws -> (host: ScriptedHost, worker: ScriptedHost) {
    let worker = try ScriptedHost.worker()
    let host = try ScriptedHost(sql: worker.inside) { _, host in
      do { return .text(try await body(host)) } catch let error as GuestError {
        return .text(error.code ?? "\(error)")
      }
    }
    try host.get(1, "/")
    return (host, worker)
  }

  private func text(_ host: ScriptedHost) async throws -> String {
    String(decoding: try await host.nextResponse().body, as: UTF8.self)
  }

  @Test("a transaction commits what its body did, on the socket of its own")
  func commit() async throws {
    let (host, worker) = try guest { host in
      let sum = try await host.sql("main").transaction(timeout: .seconds(2)) { tx in
        try await tx.execute("INSERT INTO t VALUES (?)", 1)
        return try await tx.query("SELECT 41 AS n").first?.int("n") ?? 0
      }
      return "\(sum)"
    }
    let begin = try await worker.nextRequest()
    #expect(begin.method == "sql.begin")
    #expect(begin.params == ["database": "main", "mode": "write", "deadlineMs": 2_000])
    try worker.result(begin, ["transaction": 7])
    let insert = try await worker.nextRequest()
    #expect(insert.params["transaction"] == 7 && insert.params["params"] == [1])
    try worker.result(insert, ["changes": 1, "lastInsertRowId": 1])
    let query = try await worker.nextRequest()
    #expect(query.params["transaction"] == 7)
    try worker.result(query, ["columns": ["n"], "rows": [[41]]])
    let commit = try await worker.nextRequest()
    #expect(commit.method == "sql.commit" && commit.params == ["transaction": 7])
    try worker.result(commit, [:])
    #expect(try await text(host) == "41")
  }

  @Test("a body that throws rolls back, and its error is the one that is seen")
  func rollback() async throws {
    let (host, worker) = try guest { host in
      try await host.sql("main").transaction(.read) { tx in
        try await tx.execute("INSERT INTO t VALUES (1)")
      }
      return "done"
    }
    let begin = try await worker.nextRequest()
    #expect(begin.params == ["database": "main", "mode": "read"])
    try worker.result(begin, ["transaction": 9])
    try worker.fail(try await worker.nextRequest(), HostError(.sql, "read_only", "it reads"))
    let rollback = try await worker.nextRequest()
    #expect(rollback.method == "sql.rollback")
    try worker.fail(rollback, HostError(.notFound, "transaction", "it is over"))
    #expect(try await text(host) == "sql.read_only")
  }

  static let row: [RowValue] = [
    .integer(.max), .real(.infinity), .text([0x61, 0]), .blob([1]), .null,
  ]

  @Test("a streamed result comes row by row, and what was read is granted again")
  func stream() async throws {
    let (host, worker) = try guest { host in
      var rows: [SQLRow] = []
      for try await row in try await host.sql("main").stream("SELECT ?", 2) { rows.append(row) }
      let last = rows[rows.count - 1]
      return "\(rows.count) \(try last.int("i")) \(try last.real("r")) "
        + "\(try last.text("t").utf8.count) \(try last.blob("b")) \(last["n"])"
    }
    let query = try await worker.nextRequest()
    #expect(query.params["stream"] == true)
    let bytes = RowChunks.encode([Self.row, Self.row]) + RowChunks.encode([Self.row])
    try worker.send(
      .response(
        .init(
          id: query.id,
          outcome: .result([
            "columns": ["i", "r", "t", "b", "n"], "encoding": "columns/1",
          ]), stream: 3)), body: Array(bytes.prefix(10)))
    #expect(try await worker.nextSignal().signal == .credit(stream: 3, bytes: 10))
    try worker.signal(.data(stream: 3, end: false, failure: nil), body: Array(bytes[10..<50]))
    #expect(try await worker.nextSignal().signal == .credit(stream: 3, bytes: 40))
    try worker.signal(.data(stream: 3, end: true, failure: nil), body: Array(bytes[50...]))
    #expect(try await text(host) == "3 9223372036854775807 inf 2 [1] null")
  }

  @Test("leaving a streamed result stops the statement")
  func leave() async throws {
    let (host, worker) = try guest { host in
      for try await row in try await host.sql("main").stream("SELECT 1") {
        return "\(try row.int("i"))"
      }
      return "none"
    }
    let query = try await worker.nextRequest()
    try worker.send(
      .response(
        .init(
          id: query.id, outcome: .result(["columns": ["i"], "encoding": "columns/1"]), stream: 4)),
      body: RowChunks.encode([[.integer(5)], [.integer(6)]]))
    #expect(try await text(host) == "5")
    var signals: [StreamSignal] = []
    while signals.last != .stop(stream: 4) { signals.append(try await worker.nextSignal().signal) }
    // Pieces that crossed with it are dropped.
    try worker.signal(.data(stream: 4, end: false, failure: nil), body: [1, 2, 3])
    try worker.signal(.data(stream: 4, end: true, failure: nil))
  }

  @Test("an error on the way has its code; one cut off in a chunk is told too")
  func broken() async throws {
    for (failure, code) in [("deadline.sql: it took too long", "deadline.sql"), (nil, "cut off")] {
      let (host, worker) = try guest { host in
        for try await _ in try await host.sql("main").stream("SELECT 1") {}
        return "whole"
      }
      let query = try await worker.nextRequest()
      try worker.send(
        .response(
          .init(
            id: query.id, outcome: .result(["columns": ["i"], "encoding": "columns/1"]), stream: 1)),
        body: [9, 0])
      try worker.signal(.data(stream: 1, end: true, failure: failure))
      #expect(try await text(host).contains(code))
    }
  }

  @Test("a result too large for a frame is asked for again as a stream")
  func large() async throws {
    let (host, worker) = try guest { host in
      "\(try await host.sql("main").query("SELECT 1").count)"
    }
    try worker.fail(try await worker.nextRequest(), HostError(.sql, "too_large", "too large"))
    let again = try await worker.nextRequest()
    #expect(again.params["stream"] == true)
    try worker.send(
      .response(
        .init(id: again.id, outcome: .result(["columns": ["i"], "encoding": "columns/1"]))),
      body: RowChunks.encode([[.integer(5)], [.integer(6)]]))
    #expect(try await text(host) == "2")
  }

  @Test("many rows go in binary, beyond one frame in a transaction")
  func many() async throws {
    let (host, worker) = try guest { host in
      let rows = (0..<3_000).map { [SQLValue.integer($0), .blob(Array(repeating: 7, count: 500))] }
      let small = try await host.sql("main").executeMany("INSERT", rows: Array(rows.prefix(2)))
      let large = try await host.sql("main").executeMany("INSERT", rows: rows)
      return "\(small.changes) \(large.changes)"
    }
    var seen: [String] = []
    var sizes: [Int64] = []
    while seen.last != "sql.commit" {
      let (message, body) = try await worker.next()
      guard case .request(let request) = message else { continue }
      seen.append(request.method)
      if request.method == "sql.begin" {
        try worker.result(request, ["transaction": 1])
      } else if request.method == "sql.batch" {
        var chunks = RowChunks()
        let rows = try chunks.receive(body)
        sizes.append(Int64(rows.count))
        let result: JSONValue = ["changes": .int(Int64(rows.count)), "lastInsertRowId": 0]
        try worker.result(request, ["results": [result]])
      } else {
        try worker.result(request, [:])
      }
    }
    #expect(try await text(host) == "2 3000")
    #expect(sizes[0] == 2 && sizes.reduce(0, +) == 3_002 && sizes.count > 2)
    #expect(seen[1] == "sql.begin")
  }

  @Test(
    "where its own socket is absent or over, the host relays; what was under way then is unknown")
  func relay() async throws {
    let (host, worker) = try guest { host in
      var told: [String] = []
      for _ in 0..<2 {
        do throws(GuestError) {
          told.append("\(try await host.sql("main").query("SELECT 1").count)")
        } catch { told.append(error.code ?? "\(error)") }
      }
      return told.joined(separator: " ")
    }
    _ = try await worker.nextRequest()
    worker.hangUp()
    let relayed = try await host.nextRequest()
    #expect(relayed.method == "sql.query")
    try host.result(relayed, ["columns": ["n"], "rows": [[1]]])
    #expect(try await text(host) == "upstream.sql 1")

    let none = try ScriptedHost { _, host in
      .text("\(try await host.sql("main").execute("DELETE FROM t").changes)")
    }
    try none.get(1, "/")
    try none.result(try await none.nextRequest(), ["changes": 4, "lastInsertRowId": 0])
    #expect(try await text(none) == "4")
  }
}
