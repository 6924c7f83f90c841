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

  static func visits(_ host: Host, add: Bool) async throws -> Int64 {
    let database = host.sql("main")
    try await database.execute("CREATE TABLE IF NOT EXISTS visit (at TEXT NOT NULL)")
    if add { try await database.execute("INSERT INTO visit VALUES (datetime('now'))") }
    guard
      case .integer(let count)? = try await database.query("SELECT count(*) FROM visit").first?[0]
    else { return 0 }
    return count
  }
}
