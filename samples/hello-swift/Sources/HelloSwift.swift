// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import GuestKit

/// Greets, and counts its visits in its own database.
@main
struct HelloSwift {
  static func main() async throws {
    try await Guest.serve { request, host in
      switch (request.method, request.path) {
      case ("GET", "/api/hello"): .json(facts(of: request))
      case ("GET", "/api/visits"): .json(["visits": .int(try await visits(host, add: false))])
      case ("POST", "/api/visits"): .json(["visits": .int(try await visits(host, add: true))])
      case ("GET", "/api/visits.csv"): try await export(host)
      default: .text("There is nothing at \(request.path).\n", status: 404)
      }
    }
  }

  /// What the host told this guest about the request.
  static func facts(of request: HTTPRequest) -> JSONValue {
    [
      "greeting": .string("Hello, \(request.identity?.name ?? "stranger")."),
      "remote": .string(request.head.remoteIP), "host": .string(request.header("host") ?? ""),
      "language": "Swift",
    ]
  }

  /// Adds and counts in one transaction: of two visitors at once each has a number of their own.
  static func visits(_ host: Host, add: Bool) async throws -> Int64 {
    try await table(host).transaction { visits in
      if add { try await visits.execute("INSERT INTO visit VALUES (datetime('now'))") }
      return try await visits.query("SELECT count(*) AS n FROM visit").first?.int("n") ?? 0
    }
  }

  static func table(_ host: Host) async throws -> Database {
    let database = host.sql("main")
    try await database.execute("CREATE TABLE IF NOT EXISTS visit (at TEXT NOT NULL)")
    return database
  }

  /// Every visit, sent as it is read: memory stays the same however many there are.
  static func export(_ host: Host) async throws -> HTTPResponse {
    let pages = Pages(try await table(host).stream("SELECT at FROM visit ORDER BY rowid"))
    let lines = AsyncThrowingStream<[UInt8], any Error> { try await pages.next() }
    return HTTPResponse(
      headers: [("content-type", "text/csv; charset=utf-8")], body: .stream(lines))
  }
}

/// Visits as lines of CSV, a thousand or so a piece; the next piece is read when the one before was sent.
actor Pages {
  private let rows: SQLRows
  private var iterator: SQLRows.Iterator?

  init(_ rows: SQLRows) { self.rows = rows }

  func next() async throws -> [UInt8]? {
    var rows = iterator ?? rows.makeAsyncIterator()
    defer { iterator = rows }
    var piece: [UInt8] = []
    while piece.count < 20_000, let row = try await rows.next(isolation: self) {
      piece += Array((try row.text("at") + "\r\n").utf8)
    }
    return piece.isEmpty ? nil : piece
  }
}
