// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine
import SQLite
import Testing

@Suite struct `Chunks of rows` {
  static let rows: [[SQLiteValue]] = [
    [.integer(.max), .real(0.1), .text("a\0€"), .blob([0, 255]), .null, .integer(1)],
    [.integer(.min), .real(-.infinity), .text(""), .blob([]), .null, .text("two")],
    [.integer(0), .real(-0.0), .text("z"), .blob([1]), .null, .null],
  ]

  @Test(arguments: [true, false])
  func `come back as they went in`(mixed: Bool) throws {
    let directory = try TemporaryDirectory()
    let connection = try GuardedConnection(
      path: "\(directory.path)/t.sqlite", role: .writer, plan: SQLPlan())
    try connection.own("CREATE TABLE t (a, b, c, d, e, f)")
    let insert = try connection.statement("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)")
    let chunk = Columns.encode(Self.rows, mixed: mixed)
    try chunk.withUnsafeBytes { bytes in
      var reader = try RowChunkReader(bytes)
      #expect(reader.rows == 3 && reader.columns == 6)
      for row in 0..<reader.rows {
        try reader.bind(row: row, to: insert)
        #expect(try connection.step(insert) == false)
        insert.reset()
      }
    }
    let select = try connection.statement("SELECT * FROM t ORDER BY rowid")
    var writer = RowChunkWriter(columns: 6)
    while try connection.step(select) { writer.append(select) }
    var out: [UInt8] = []
    writer.finish(into: &out)
    #expect(Columns.decode(out) == Self.rows)
    // Columns of one kind are written as such.
    #expect(out == Columns.encode(Self.rows, mixed: false))
  }

  @Test func `that lie about themselves are refused`() throws {
    let good = Columns.encode(Self.rows)
    var bad: [[UInt8]] = (0..<good.count).map { Array(good[0..<$0]) }
    for index in good.indices.prefix(60) {
      for value: UInt8 in [0, 1, 5, 6, 0x7f, 0xff] where good[index] != value {
        var changed = good
        changed[index] = value
        bad.append(changed)
      }
    }
    var refused = 0
    for bytes in bad {
      // Whatever it says, reading it stays within its bytes; the sanitizer and this count are the judges.
      bytes.withUnsafeBytes { buffer in
        do throws(HostError) { _ = try RowChunkReader(buffer) } catch {
          refused += 1
          #expect(error.code == "params")
        }
      }
    }
    #expect(refused > good.count)
  }

  @Test func `may not claim rows that take no bytes`() {
    let chunk: [UInt8] = [8, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]
    chunk.withUnsafeBytes { bytes in
      _ = #expect(throws: HostError.self) { try RowChunkReader(bytes) }
    }
  }
}
