// SPDX-License-Identifier: Apache-2.0
import Glibc
import GuestAPI
import SQLEngine
import SQLite
import Testing

@Suite struct `Damaged and planted files` {
  /// A directory with a database of one row, closed.
  func database() throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    let connection = try SQLiteConnection(path: "\(directory.path)/main.sqlite")
    try connection.useWriteAheadLog()
    try connection.script("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    connection.close()
    return directory
  }

  func problem(_ directory: TemporaryDirectory) throws -> String? {
    let file = DatabaseFile(directory: directory.path, name: "main")
    do throws(HostError) {
      _ = try file.inspect()
      return nil
    } catch {
      #expect(error.code == "sql.corrupt")
      return error.message
    }
  }

  @Test func `are told from a sound database`() throws {
    let sound = try database()
    #expect(try problem(sound) == nil)
    #expect(try problem(try TemporaryDirectory()) == nil)
    #expect(
      try DatabaseFile(directory: sound.path, name: "main").inspect() == .database(pageSize: 4_096))
  }

  @Test func `a file that is no database`() throws {
    let directory = try database()
    try directory.write(String(repeating: "not a database ", count: 1_000), to: "main.sqlite")
    #expect(try problem(directory)?.contains("does not begin") == true)
  }

  @Test func `a file cut off in the middle of a page`() throws {
    let directory = try database()
    try directory.write(Array(try directory.read("main.sqlite").dropLast(100)), to: "main.sqlite")
    #expect(try problem(directory)?.contains("middle of a page") == true)
  }

  @Test func `a journal planted beside it is not played back`() throws {
    let directory = try database()
    let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
    try directory.write(magic + [UInt8](repeating: 0, count: 504), to: "main.sqlite-journal")
    #expect(try problem(directory)?.contains("rollback journal") == true)
    let worker = try WorkerProcess(in: directory)
    let answer = try worker.direct.query("SELECT * FROM t")
    #expect(answer.word == "sql.corrupt")
    #expect(try worker.control.notification("sql.corrupt")["database"] == "main")
    // Taken away, the database is used again without a restart.
    try directory.write("", to: "main.sqlite-journal")
    #expect(try worker.direct.rows("SELECT * FROM t") == [[1]])
  }

  @Test func `a log of another database is not ignored in silence`() throws {
    let directory = try database()
    try directory.write([UInt8](repeating: 0x37, count: 5_000), to: "main.sqlite-wal")
    #expect(try problem(directory)?.contains("write-ahead log") == true)
    try directory.write([UInt8](repeating: 0, count: 5_000), to: "main.sqlite-wal")
    #expect(try problem(directory) == nil)
    let alone = try TemporaryDirectory()
    try alone.write([UInt8](repeating: 0x37, count: 5_000), to: "main.sqlite-wal")
    #expect(try problem(alone)?.contains("where there is no database") == true)
  }

  @Test func `a real log of a killed worker is taken`() throws {
    let worker = try WorkerProcess()
    try worker.direct.execute("CREATE TABLE t (a)")
    worker.kill9()
    #expect(try !worker.directory.read("main.sqlite-wal").isEmpty)
    #expect(try problem(worker.directory) == nil)
  }

  @Test func `links are not followed`() throws {
    let directory = try database()
    let other = try TemporaryDirectory()
    #expect(symlink("\(directory.path)/main.sqlite", "\(other.path)/main.sqlite") == 0)
    #expect(try problem(other)?.contains("link") == true)
    #expect(link("\(directory.path)/main.sqlite", "\(directory.path)/second") == 0)
    #expect(try problem(directory)?.contains("link") == true)
  }

  @Test func `pages overwritten within are found, named and no more written`() throws {
    let directory = try TemporaryDirectory()
    let first = try WorkerProcess(in: directory)
    try first.direct.execute("CREATE TABLE t (a)")
    try first.direct.execute(Storage.fill)
    _ = try first.control.call("worker.shutdown", [:])
    first.wait()
    var bytes = try directory.read("main.sqlite")
    for index in (8 * 4_096)..<(40 * 4_096) { bytes[index] = 0xa5 }
    try directory.write(bytes, to: "main.sqlite")
    let worker = try WorkerProcess(in: directory)
    #expect(try worker.direct.query("SELECT sum(length(a)) FROM t").word == "sql.corrupt")
    #expect(try worker.control.notification("sql.corrupt")["database"] == "main")
    #expect(try worker.direct.query("INSERT INTO t VALUES (1)").word == "sql.corrupt")
    #expect(try worker.direct.rows("SELECT count(*) FROM sqlite_schema") == [[1]])
  }
}
