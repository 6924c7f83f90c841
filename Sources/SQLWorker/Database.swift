// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine
import SQLite
import Locks
import Synchronization

/// One database: a lane that writes and a pool of connections that read beside it.
final class Database: @unchecked Sendable {
  let name: String
  let file: DatabaseFile
  private let migrations: String?
  private let plan: SQLPlan
  private let quota: StorageQuota

  // SAFETY: guarded by `monitor`.
  private let monitor = Monitor()
  private var lane: Lane?
  private var failure: HostError?
  private var idleReaders: [GuardedConnection] = []
  private var readersOut = 0
  private var isClosing = false

  /// How statements seen lately are tried first.
  private let approaches = Lock<[String: StatementText.Approach]>([:])
  private let isDamagedFlag = Atomic<Bool>(false)
  private let pagesMax = Atomic<Int>(0)

  private static let pageSize = 4_096
  private static let idleReadersMax = 8

  init(name: String, migrations: String?, plan: SQLPlan, quota: StorageQuota) {
    self.name = name
    file = DatabaseFile(directory: plan.directory, name: name)
    self.migrations = migrations
    self.plan = plan
    self.quota = quota
  }

  /// Opens the files, applies the migrations and gives the writing lane. Later calls only give it.
  func writer() throws(HostError) -> Lane {
    monitor.lock()
    defer { monitor.unlock() }
    if let lane { return lane }
    guard !isClosing else { throw Lane.gone }
    if let failure { throw failure }
    let lane = try open()
    self.lane = lane
    return lane
  }

  private func open() throws(HostError) -> Lane {
    let isNew = try file.inspect() == .absent
    let connection = try connect(.writer)
    if isNew { FileSystem.sync(directory: plan.directory) }
    limit(connection)
    if let migrations {
      do throws(HostError) {
        try Migrations.apply(try Migrations.files(in: migrations), to: connection)
      } catch {
        // The files do not change while this worker lives: it would fail again.
        failure = error
        throw error
      }
    }
    notePages(connection)
    return Lane(
      connection: connection, queueMax: plan.queueMax,
      before: { [unowned self] in limit($0) }, after: { [unowned self] in notePages($0) })
  }

  private func connect(_ role: GuardedConnection.Role) throws(HostError) -> GuardedConnection {
    do { return try GuardedConnection(path: file.path, role: role, plan: plan) } catch {
      throw SQLFailure.error(error)
    }
  }

  /// Gives SQLite the number of pages this database may grow to, the others being as large as they are.
  private func limit(_ connection: GuardedConnection) {
    let pages = quota.pagesMax(for: name, pageSize: Self.pageSize)
    guard pages != pagesMax.exchange(pages, ordering: .relaxed) else { return }
    // It cannot fail: SQLite takes the nearest number it can.
    _ = try? connection.own("PRAGMA max_page_count=\(pages)")
  }

  private func notePages(_ connection: GuardedConnection) {
    guard let count = try? connection.own("PRAGMA page_count").first?[0].int else { return }
    quota.note(name, bytes: count * Int64(Self.pageSize))
  }
}

extension Database {
  /// A connection for reading; to be given back.
  func takeReader() throws(HostError) -> GuardedConnection {
    _ = try writer()
    monitor.lock()
    defer { monitor.unlock() }
    guard !isClosing else { throw Lane.gone }
    let idle = idleReaders.popLast()
    let connection = if let idle { idle } else { try connect(.reader) }
    readersOut += 1
    return connection
  }

  func giveBack(_ connection: GuardedConnection) {
    monitor.locked {
      readersOut -= 1
      if idleReaders.count < Self.idleReadersMax, !isClosing { idleReaders.append(connection) }
      monitor.broadcast()
    }
  }

  func approach(_ sql: String) -> StatementText.Approach {
    if let known = approaches.withLock({ $0[sql] }) { return known }
    let approach = StatementText.approach(sql)
    note(approach, for: sql)
    return approach
  }

  /// Its first word did not tell: it writes.
  func noteWrite(_ sql: String) { note(.writing(isPlain: false), for: sql) }

  private func note(_ approach: StatementText.Approach, for sql: String) {
    approaches.withLock {
      if $0.count >= 4 * SQLLimits.cachedStatements { $0 = [:] }
      $0[sql] = approach
    }
  }

  var isDamaged: Bool { isDamagedFlag.load(ordering: .relaxed) }
  /// True for the first who notices.
  func noteDamage() -> Bool { !isDamagedFlag.exchange(true, ordering: .relaxed) }

  var openLane: Lane? { monitor.locked { lane } }

  /// On the lane: waits until nobody reads, then closes every connection. False if somebody still reads at `deadline`.
  func close(until deadline: UInt64) -> Bool {
    monitor.lock()
    defer { monitor.unlock() }
    isClosing = true
    while readersOut > 0 {
      guard Monotonic.now < deadline else {
        isClosing = false
        return false
      }
      monitor.wait(until: deadline)
    }
    idleReaders = []
    lane?.close()
    lane = nil
    return true
  }

  /// Bytes of the write-ahead log. Asks for the status only: opening the file would cost SQLite its locks.
  var walBytes: Int64 { FileSystem.status(file.walPath)?.size ?? 0 }
  var bytes: Int64 { FileSystem.status(file.path)?.size ?? 0 }
}
