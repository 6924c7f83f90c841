// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLite
import Testing

@Suite struct `Durability` {
  /// Rows that were acknowledged are there after the worker was killed in the middle of its work, again and again,
  /// and what was not acknowledged is there whole or not at all.
  @Test func `what was acknowledged survives kill -9 at any instant`() throws {
    let directory = try TemporaryDirectory()
    var random = SplitMix(state: 4)
    var acknowledged: Set<Int64> = []
    var pairs: Set<Int64> = []
    var next: Int64 = 0
    for round in 0..<25 {
      let worker = try WorkerProcess(in: directory)
      try worker.direct.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY)")
      try worker.direct.execute("CREATE TABLE IF NOT EXISTS p (a INTEGER, side INTEGER)")
      // Some single rows in groups, some pairs in batches, sent without waiting; the kill comes in between.
      var sent: [Int64: (value: Int64, isPair: Bool)] = [:]
      for _ in 0..<60 {
        next += 1
        let isPair = next % 3 == 0
        let id =
          isPair
          ? try worker.direct.send(
            "sql.batch",
            [
              "database": "main",
              "statements": [
                [
                  "sql": "INSERT INTO p VALUES (?, ?)",
                  "rows": [[.int(next), 0], [.int(next), 1]],
                ]
              ],
            ])
          : try worker.direct.send(
            "sql.execute", WorkerSocket.params("INSERT INTO t VALUES (?)", [.int(next)]))
        sent[id] = (next, isPair)
      }
      let patience = Int(random.next() % 60)
      for _ in 0..<patience {
        guard case .response(let response) = try Message(try worker.direct.frame().json),
          case .number(let id) = response.id, let entry = sent[id]
        else { continue }
        guard case .result = response.outcome else { throw WorkerSocket.Ended() }
        if entry.isPair { pairs.insert(entry.value) } else { acknowledged.insert(entry.value) }
      }
      worker.kill9()
      // What had been sent before the kill and waits in the socket was acknowledged too.
      while let frame = try? worker.direct.frame() {
        guard case .response(let response) = try Message(frame.json),
          case .result = response.outcome,
          case .number(let id) = response.id, let entry = sent[id]
        else { continue }
        if entry.isPair { pairs.insert(entry.value) } else { acknowledged.insert(entry.value) }
      }
      let reader = try SQLiteConnection(path: "\(directory.path)/main.sqlite")
      let kept = Set(try reader.run("SELECT a FROM t").compactMap { $0[0].int })
      let whole = Set(
        try reader.run("SELECT a FROM p GROUP BY a HAVING count(*) = 2").compactMap { $0[0].int })
      #expect(acknowledged.isSubset(of: kept), "round \(round)")
      #expect(pairs.isSubset(of: whole), "round \(round)")
      #expect(try reader.run("SELECT a FROM p GROUP BY a HAVING count(*) <> 2").isEmpty)
      #expect(try reader.run("PRAGMA integrity_check")[0][0] == "ok")
    }
    #expect(!acknowledged.isEmpty && !pairs.isEmpty)
  }

  @Test func `a worker whose host is gone ends, and keeps what it acknowledged`() throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a)")
    worker.control.close()
    #expect(worker.wait() == 0)
    let next = try WorkerProcess(in: worker.directory)
    #expect(try next.direct.rows("SELECT count(*) FROM t") == [[0]])
  }
}

/// Seeded random numbers, so that a failure can be had again.
struct SplitMix {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
