// SPDX-License-Identifier: Apache-2.0
import SQLite
import Testing

@Suite struct SQLiteConnectionTests {
  @Test func `every storage class comes back as it went in`() throws {
    let connection = try SQLiteConnection(path: ":memory:")
    try connection.script("CREATE TABLE t (v)")
    let values: [SQLiteValue] = [
      .null, .integer(.max), .integer(.min), .real(0.1), .real(.infinity), .text(""),
      .text("a\0b €"), .blob([]), .blob([0, 255, 0]),
    ]
    for value in values { try connection.run("INSERT INTO t VALUES (?)", value) }
    #expect(try connection.run("SELECT v FROM t ORDER BY rowid").map { $0[0] } == values)
  }

  @Test func `an error carries the extended code and the offset`() throws {
    let connection = try SQLiteConnection(path: ":memory:")
    let error = #expect(throws: SQLiteError.self) { try connection.run("SELECT nope FROM nowhere") }
    #expect(error?.message.contains("nowhere") == true)
    try connection.script("CREATE TABLE t (v UNIQUE)")
    try connection.run("INSERT INTO t VALUES (1)")
    let unique = #expect(throws: SQLiteError.self) {
      try connection.run("INSERT INTO t VALUES (1)")
    }
    #expect(unique?.code == 2067)
  }

  @Test func `a transaction that throws leaves nothing`() throws {
    let connection = try SQLiteConnection(path: ":memory:")
    try connection.script("CREATE TABLE t (v)")
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try connection.transaction {
        try connection.run("INSERT INTO t VALUES (1)")
        throw Stop()
      }
    }
    #expect(try connection.run("SELECT count(*) FROM t")[0][0] == 0)
  }
}
