// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// What one worker may do: its databases, their quota and its deadlines. The host writes it as JSON into
/// `BULKHEAD_SQL_PLAN`; a member that is absent keeps the default below, an unknown one is refused.
package struct SQLPlan: Sendable, Equatable {
  package struct Database: Sendable, Equatable {
    package var name: String
    /// Directory of `*.sql` files, applied once each, in the order of their names.
    package var migrations: String?
    package init(name: String, migrations: String? = nil) {
      self.name = name
      self.migrations = migrations
    }
  }

  /// Where the files lie, as the worker sees it.
  package var directory = "/sql"
  /// Declared in the manifest: these always exist.
  package var databases: [Database] = []
  /// How many more the app may create with `sql.create`.
  package var createMax = 0
  /// Pages of all databases together, in bytes; 0 is without bound.
  package var quotaBytes: Int64 = 0
  /// How long a statement may run when the request says nothing.
  package var deadlineMs: Int64 = 5_000
  /// The most a request may ask for with `meta.deadlineMs`.
  package var deadlineMaxMs: Int64 = 30_000
  /// How long after its deadline a statement that cannot be interrupted gets before the worker ends.
  package var graceMs: Int64 = 500
  /// How long an interactive transaction may stay open, by default and at most.
  package var transactionMs: Int64 = 5_000
  package var transactionMaxMs: Int64 = 60_000
  /// Interactive transactions open at a time.
  package var transactionsMax = 8
  /// Result streams open at a time.
  package var streamsMax = 8
  /// How long a stream waits for credit before it is given up.
  package var streamStallMs: Int64 = 30_000
  /// All memory of SQLite, in bytes; 0 is without bound.
  package var heapBytes: Int64 = 67_108_864
  /// A directory for sorting what does not fit in memory; without one, memory is all there is.
  package var temporary: String?
  /// How often figures are reported while there is work.
  package var statsMs: Int64 = 5_000
  /// Sockets of `sql.open` at a time.
  package var socketsMax = 32
  /// Threads that serve one socket.
  package var threads = 8
  /// Requests waiting for one database's writer.
  package var queueMax = 256

  package init() {}
}

/// A plan the worker cannot follow.
package struct SQLPlanError: Error, Equatable, CustomStringConvertible {
  package var description: String
}

extension SQLPlan {
  package init(json text: String) throws(SQLPlanError) {
    let value: JSONValue
    do { value = try JSONParser.parse(text) } catch {
      throw SQLPlanError(description: "the plan is not JSON: \(error)")
    }
    guard let object = value.object else {
      throw SQLPlanError(description: "the plan is \(value.typeName), not an object")
    }
    for (key, value) in object.members { try set(key, value) }
    guard Set(databases.map(\.name)).count == databases.count else {
      throw SQLPlanError(description: "a database is named twice in the plan")
    }
  }

  private mutating func set(_ key: String, _ value: JSONValue) throws(SQLPlanError) {
    func number(_ range: ClosedRange<Int64>) throws(SQLPlanError) -> Int64 {
      guard let number = value.int, range.contains(number) else {
        throw SQLPlanError(
          description: "\(key) must be from \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
    func path() throws(SQLPlanError) -> String {
      guard let path = value.string, path.utf8.first == UInt8(ascii: "/") else {
        throw SQLPlanError(description: "\(key) must be an absolute path")
      }
      return path
    }
    let milliseconds: ClosedRange<Int64> = 1...3_600_000
    switch key {
    case "directory": directory = try path()
    case "temporary": temporary = try path()
    case "databases": databases = try Self.databases(value)
    case "createMax": createMax = Int(try number(0...Int64(SQLLimits.databases)))
    case "quotaBytes": quotaBytes = try number(0...(1 << 46))
    case "heapBytes": heapBytes = try number(0...(1 << 40))
    case "deadlineMs": deadlineMs = try number(milliseconds)
    case "deadlineMaxMs": deadlineMaxMs = try number(milliseconds)
    case "graceMs": graceMs = try number(milliseconds)
    case "transactionMs": transactionMs = try number(milliseconds)
    case "transactionMaxMs": transactionMaxMs = try number(milliseconds)
    case "streamStallMs": streamStallMs = try number(milliseconds)
    case "statsMs": statsMs = try number(milliseconds)
    case "transactionsMax": transactionsMax = Int(try number(0...64))
    case "socketsMax": socketsMax = Int(try number(0...256))
    case "streamsMax": streamsMax = Int(try number(0...64))
    case "threads": threads = Int(try number(2...64))
    case "queueMax": queueMax = Int(try number(1...65_536))
    default: throw SQLPlanError(description: "the plan has an unknown member \"\(key)\"")
    }
  }

  private static func databases(_ value: JSONValue) throws(SQLPlanError) -> [Database] {
    guard let entries = value.array, entries.count <= SQLLimits.databases else {
      throw SQLPlanError(
        description: "databases must be an array of at most \(SQLLimits.databases)")
    }
    var databases: [Database] = []
    for entry in entries {
      guard let name = entry["name"]?.string, DatabaseName.isValid(name) else {
        throw SQLPlanError(description: "a database needs a \"name\": \(DatabaseName.rule)")
      }
      databases.append(Database(name: name, migrations: entry["migrations"]?.string))
    }
    return databases
  }
}

/// What a database may be called. The name becomes a file name, so the rule is narrow.
package enum DatabaseName {
  package static let rule = "1 to 63 of a-z, 0-9, - and _, beginning with a letter"

  package static func isValid(_ name: String) -> Bool {
    guard (1...63).contains(name.utf8.count), let first = name.utf8.first,
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
    else { return false }
    return name.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
  }
}
