// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine
import Locks

/// The app's databases: those its manifest declares, and those it made.
final class Databases: Sendable {
  private let plan: SQLPlan
  private let quota: StorageQuota
  private let known = Lock<[String: Database]>([:])

  init(plan: SQLPlan, quota: StorageQuota) {
    self.plan = plan
    self.quota = quota
    for name in namesOnDisk() {
      let file = DatabaseFile(directory: plan.directory, name: name)
      quota.note(name, bytes: FileSystem.status(file.path)?.size ?? 0)
    }
  }

  private static let suffix = ".sqlite"

  private func namesOnDisk() -> [String] {
    (FileSystem.names(in: plan.directory) ?? []).filter { $0.hasSuffix(Self.suffix) }
      .map { String($0.dropLast(Self.suffix.count)) }.filter(DatabaseName.isValid)
  }

  private func isDeclared(_ name: String) -> Bool { plan.databases.contains { $0.name == name } }

  /// A declared database, or one that was made. Never opens a file the app did not make or declare.
  func find(_ name: String) throws(HostError) -> Database {
    if let database = known.withLock({ $0[name] }) { return database }
    guard DatabaseName.isValid(name) else { throw Self.invalid(name) }
    guard isDeclared(name) || exists(name) else {
      throw HostError(
        .notFound, "database",
        "there is no database \"\(name)\": declare it in the manifest or make it with sql.create")
    }
    return entry(name)
  }

  private func entry(_ name: String) -> Database {
    known.withLock { known in
      if let database = known[name] { return database }
      let migrations = plan.databases.first { $0.name == name }?.migrations
      let database = Database(name: name, migrations: migrations, plan: plan, quota: quota)
      known[name] = database
      return database
    }
  }

  private func exists(_ name: String) -> Bool {
    FileSystem.status(DatabaseFile(directory: plan.directory, name: name).path) != nil
  }

  static func invalid(_ name: String) -> HostError {
    SQLFailure.params("\"\(name.prefix(64))\" cannot name a database: \(DatabaseName.rule)")
  }

  /// Checks that a further database may be made, and that the name is free.
  func requireRoom(for name: String) throws(HostError) {
    guard DatabaseName.isValid(name) else { throw Self.invalid(name) }
    guard !isDeclared(name), !exists(name) else {
      throw HostError(.conflict, "database", "there is a database \"\(name)\" already")
    }
    let made = namesOnDisk().filter { !isDeclared($0) }.count
    guard made < plan.createMax else {
      throw HostError(
        .quota, "databases",
        "the app may make \(plan.createMax) databases beside those its manifest declares")
    }
  }

  /// Makes the file, so that the database is there from now on.
  func create(_ name: String) throws(HostError) {
    try requireRoom(for: name)
    _ = try entry(name).writer()
  }

  /// After `close`: removes the files. A declared database is there again, empty, at its next use.
  func remove(_ database: Database) throws(HostError) {
    let file = database.file
    // The log first: a log without its database is taken for damage, a database without its log may be whole.
    for path in [file.walPath, file.shmPath, file.path] {
      guard FileSystem.remove(path) else {
        throw HostError(
          .internal, "sql_io", "the files of \"\(database.name)\" could not be removed",
          log: "unlink \(path)")
      }
    }
    FileSystem.sync(directory: plan.directory)
    quota.forget(database.name)
    known.withLock { $0[database.name] = nil }
  }

  /// Name, bytes, bytes of the log, and whether the manifest declares it; in the order of the names.
  func list() -> [(name: String, bytes: Int64, walBytes: Int64, isDeclared: Bool)] {
    Set(namesOnDisk()).union(plan.databases.map(\.name)).sorted().map { name in
      let file = DatabaseFile(directory: plan.directory, name: name)
      return (
        name, FileSystem.status(file.path)?.size ?? 0, FileSystem.status(file.walPath)?.size ?? 0,
        isDeclared(name)
      )
    }
  }

  /// Pages of all databases, those among them that still lie in a log: what the quota counts.
  var storedBytes: Int64 { quota.used }

  var open: [Database] { known.withLock { Array($0.values) } }
}
