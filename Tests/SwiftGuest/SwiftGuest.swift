// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import GuestKit

/// A Swift guest for the end-to-end tests: does what its path says with its database `main`, and says "ok" or what was wrong.
@main
struct SwiftGuest {
  static func main() async throws {
    try await Guest.serve { request, host in
      do {
        return .text(try await answer(request.path, host.sql("main")))
      } catch let error as GuestError {
        return .text("error \(error.code ?? "\(error)")")
      }
    }
  }

  static func answer(_ path: String, _ database: Database) async throws -> String {
    switch path {
    case "/values": try await values(database)
    case "/transaction": try await transaction(database)
    case "/many": "\(try await many(database))"
    case "/stream": try await stream(database)
    case "/databases": try await databases(database.name, database)
    default: "nothing at \(path)"
    }
  }

  static let all: [SQLValue] = [
    .null, .integer(.max), .integer(.min), .real(0.1), .real(.infinity), .real(-.infinity),
    .real(.leastNonzeroMagnitude), .text(""), .text("a\u{0}b € \u{1F6A2}"),
    .text(String(repeating: "é", count: 20_000)), .blob([]), .blob([0, 255, 0]),
    .blob(Array(repeating: 7, count: 300_000)),
  ]

  /// Every value comes back as it went in: in a frame, in a stream, and by rows in binary.
  static func values(_ database: Database) async throws -> String {
    try await database.execute("CREATE TABLE IF NOT EXISTS v (n INTEGER PRIMARY KEY, x)")
    try await database.execute("DELETE FROM v")
    for (index, value) in all.enumerated() {
      try await database.execute("INSERT INTO v VALUES (?, ?)", .integer(Int64(index)), value)
    }
    let found = try await database.query("SELECT x FROM v ORDER BY n").map { $0[0] }
    guard found == all else { return "query gave other values" }
    try await database.execute("DELETE FROM v")
    try await database.executeMany(
      "INSERT INTO v VALUES (?, ?)",
      rows: all.enumerated().map { [.integer(Int64($0.offset)), $0.element] })
    var streamed: [SQLValue] = []
    for try await row in try await database.stream("SELECT x FROM v ORDER BY n") {
      streamed.append(row["x"])
    }
    return streamed == all ? "ok" : "stream gave other values"
  }

  struct Undo: Error {}

  /// What a body that throws did is gone, what another did stays, and nobody sees it before its end.
  static func transaction(_ database: Database) async throws -> String {
    try await database.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)")
    try await database.execute("DELETE FROM t")
    do {
      try await database.transaction { tx in
        try await tx.execute("INSERT INTO t VALUES (1)")
        throw Undo()
      }
    } catch is Undo {}
    let seen = try await database.transaction { tx in
      try await tx.execute("INSERT INTO t VALUES (2)")
      let outside = try await database.query("SELECT count(*) AS n FROM t").first?.int("n")
      let inside = try await tx.query("SELECT count(*) AS n FROM t").first?.int("n")
      return (outside, inside)
    }
    let kept = try await database.query("SELECT a FROM t")
    let isRight = try seen == (0, 1) && kept.map { try $0.int("a") } == [2]
    do {
      try await database.transaction(.read) { tx in try await tx.execute("DELETE FROM t") }
      return "a reading transaction wrote"
    } catch let error as GuestError where error.code == "sql.read_only" {}
    return isRight ? "ok" : "saw \(seen), kept \(kept.count)"
  }

  static func many(_ database: Database) async throws -> Int64 {
    try await database.execute("CREATE TABLE IF NOT EXISTS m (n INTEGER, text TEXT)")
    let rows = (0..<100_000).map { [SQLValue.integer($0), .text("row number \($0)")] }
    return try await database.executeMany("INSERT INTO m VALUES (?, ?)", rows: rows).changes
  }

  /// All rows of `m`, and how many there are.
  static func stream(_ database: Database) async throws -> String {
    var (count, sum) = (0, Int64(0))
    for try await row in try await database.stream("SELECT n, text FROM m") {
      count += 1
      sum += try row.int("n")
    }
    return "\(count) \(sum)"
  }

  static func databases(_ name: String, _ database: Database) async throws -> String {
    let copy = try await database.copy(to: "copy")
    let made = try await database.host.createDatabase("made")
    try await made.execute("CREATE TABLE t (a)")
    let names = try await database.host.databases().map(\.name)
    try await copy.delete()
    try await made.delete()
    let left = try await database.host.databases().map(\.name)
    return names == ["copy", "made", name] && left == [name] ? "ok" : "\(names) \(left)"
  }
}
