// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLite
import Testing

@Suite struct `Values over the socket` {
  @Test func `of every kind come back as they went in`() throws {
    let worker = try WorkerProcess()
    let body: [UInt8] = [0, 1, 255, 0xc3, 0x28]
    let params: JSONValue = [
      nil, .int(.max), .int(.min), 0.1, 1e300, -0.0, ["real": "inf"], ["real": "-inf"],
      "a\u{0}b €\u{1F600}\"\\\n", "", ["blob": [0, 3]], ["blob": [5, 0]],
      ["int": "-9223372036854775808"],
      true, ["text": [1, 1]],
    ]
    let answer = try worker.direct.query(
      "SELECT ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?", params, body: body)
    let rows = try answer.result["rows"]?.array
    let row = try #require(rows?.first?.array)
    #expect(
      Array(row[0..<10]) == [
        nil, .int(.max), .int(.min), 0.1, 1e300, -0.0, ["real": "inf"], ["real": "-inf"],
        "a\u{0}b €\u{1F600}\"\\\n", "",
      ])
    #expect(row[5].number?.sign == .minus)
    #expect(row[10] == ["blob": [0, 3]] && row[11] == ["blob": [3, 0]])
    #expect(answer.body == [0, 1, 255])
    #expect(row[12...] == [.int(.min), 1, "\u{1}"])
  }

  @Test func `that JSON cannot hold ride in the body`() throws {
    let worker = try WorkerProcess()
    let long = String(repeating: "é", count: 10_000)
    let answer = try worker.direct.query(
      "SELECT CAST(x'c328' AS TEXT), ?, x'00'", [.string(long)])
    #expect(
      try answer.result["rows"] == [
        [["text": [0, 2]], ["text": [2, 20_000]], ["blob": [20_002, 1]]]
      ])
    #expect(answer.body == [0xc3, 0x28] + Array(long.utf8) + [0])
  }

  @Test func `beyond 2^53 are tagged when asked`() throws {
    let worker = try WorkerProcess()
    let sql = "SELECT 9007199254740991, 9007199254740992, -9007199254740992"
    #expect(
      try worker.direct.query(sql, safeIntegers: true).result["rows"]
        == [[9_007_199_254_740_991, ["int": "9007199254740992"], ["int": "-9007199254740992"]]])
    #expect(
      try worker.direct.rows(sql)
        == [[9_007_199_254_740_991, 9_007_199_254_740_992, -9_007_199_254_740_992]])
  }

  @Test func `are bound by name, all of them and no others`() throws {
    let worker = try WorkerProcess()
    #expect(try worker.direct.rows("SELECT :a, @b, $c", ["b": 2, "a": 1, "c": 3]) == [[1, 2, 3]])
    #expect(try worker.direct.query("SELECT :a", ["b": 1]).word == "params")
    #expect(try worker.direct.query("SELECT :a", ["a": 1, "b": 2]).word == "params")
    #expect(try worker.direct.query("SELECT ?", ["a": 1]).word == "params")
  }

  @Test(
    arguments: [
      [], [1, 2], [["blob": [0, 1]]], [["blob": [-1, 0]]], [["blob": [0]]], [["int": "x"]],
      [["real": "nan"]], [[1]], [["blob": [0, 0], "int": "1"]],
      [["blob": [.int(.max), .int(.max)]]],
    ] as [JSONValue])
  func `that are not values are refused`(params: JSONValue) throws {
    let worker = try WorkerProcess()
    #expect(try worker.direct.query("SELECT ?", params).word == "params")
    #expect(try worker.direct.rows("SELECT 1") == [[1]])
  }

  @Test func `too many for one frame are refused, and come as a stream`() throws {
    let worker = try WorkerProcess()
    let sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n"
    #expect(try worker.direct.query(sql).word == "sql.too_large")
    let rows = try worker.direct.streamed(sql)
    #expect(rows == (1...50_000).map { [.integer($0)] })
  }
}

extension WorkerSocket {
  /// The rows of a streamed query, granting credit as a reader does.
  func streamed(_ sql: String, _ params: JSONValue = []) throws -> [[SQLiteValue]] {
    let answer = try query(sql, params, stream: true)
    #expect(try answer.result["encoding"] == "columns/1")
    var bytes = answer.body
    guard let stream = answer.stream else { return Columns.decode(bytes) }
    var last = answer.body.count
    while true {
      try notify(.credit(stream: stream, bytes: max(1, last)))
      let frame = try frame()
      guard
        case .data(stream, let end, let failure) = try StreamSignal(
          method: frame.json["method"]?.string ?? "", params: frame.json["params"] ?? .null)
      else { continue }
      bytes += frame.body
      last = frame.body.count
      if let failure { throw RPCError(code: 0, message: failure) }
      if end { return Columns.decode(bytes) }
    }
  }
}
