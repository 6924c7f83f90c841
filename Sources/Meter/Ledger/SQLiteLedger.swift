// SPDX-License-Identifier: Apache-2.0
import SQLite

/// The embedded ledger: `ledger.sqlite`. One batch is one `BEGIN IMMEDIATE`, committed with
/// `synchronous=FULL`: an answered batch is on disk.
///
/// Blocking; one caller at a time. A batch first reads all it names, then is decided in memory by
/// `LedgerMachine`, then is written.
public final class SQLiteLedger: Ledger {
  /// As TigerBeetle's, so that a caller written for one works with the other. Batches near 500 keep
  /// readers and checkpoints moving.
  public let batchMax = 8_189

  let connection: SQLiteConnection
  private let wall: @Sendable () -> WallTime
  /// The newest timestamp given. Never goes back, whatever the clock does.
  private var lastTimestamp: UInt64
  /// Whether any id was ever burnt; most ledgers have none, and then need not ask for each.
  var hasBurnt: Bool
  /// The greatest id of a transfer in the file. Ids are time-ordered, as TigerBeetle recommends, so nearly every new one
  /// is greater and need not be looked for.
  var greatestID: UInt128
  /// Accounts as the file has them. Dropped when a batch fails or another process wrote.
  var cache: [UInt128: LedgerAccount] = [:]
  /// LIMIT: accounts kept in memory, about 200 bytes each.
  private static let cacheMax = 16_384
  private var dataVersion: Int64 = -1

  /// - Throws: `newerFile`, `foreignFile`, `damagedFile`, `diskFull`, `storage`.
  public init(directory: String, clock: MeterClock = .system) throws(MeterError) {
    let opened = try MeterSchema.open(
      path: "\(directory)/\(LedgerSchema.fileName)", applicationID: LedgerSchema.applicationID,
      version: LedgerSchema.version, script: LedgerSchema.script)
    connection = opened
    wall = clock.wall
    do {
      lastTimestamp = try Self.newestTimestamp(opened)
      greatestID = try Self.greatestID(opened)
      hasBurnt = try !opened.run("SELECT 1 FROM failed LIMIT 1").isEmpty
    } catch {
      throw MeterError(error, file: LedgerSchema.fileName)
    }
  }

  private static func newestTimestamp(_ connection: SQLiteConnection) throws(SQLiteError) -> UInt64
  {
    let row = try connection.run(
      "SELECT max(ifnull((SELECT max(timestamp) FROM account), 0), "
        + "ifnull((SELECT max(timestamp) FROM transfer), 0))")
    return UInt64(row.first?.first?.int ?? 0)
  }

  private static func greatestID(_ connection: SQLiteConnection) throws(SQLiteError) -> UInt128 {
    let row = try connection.run("SELECT max(id) FROM transfer")
    return row.first?.first?.bytes.map(UInt128.init(bigEndianBytes:)) ?? 0
  }

  public func create(accounts events: [LedgerAccount]) throws(LedgerError) -> [AccountStatus] {
    try batch(count: events.count) { (first: UInt64) throws(SQLiteError) in
      var machine = LedgerMachine(accounts: try read(accounts: events.map(\.id)))
      let statuses = machine.create(accounts: events, first: first)
      try write(machine)
      return statuses
    }
  }

  public func create(transfers events: [LedgerTransfer]) throws(LedgerError) -> [TransferStatus] {
    try batch(count: events.count) { (first: UInt64) throws(SQLiteError) in
      var machine = try machine(for: events)
      let statuses = machine.create(transfers: events, first: first)
      try write(machine)
      return statuses
    }
  }

  public func lookup(accounts ids: [UInt128]) throws(LedgerError) -> [LedgerAccount] {
    // In a batch, so that what has expired is released first.
    try batch(count: ids.count) { (_: UInt64) throws(SQLiteError) in
      let found = try read(accounts: ids)
      return ids.compactMap { found[$0] }
    }
  }

  public func lookup(transfers ids: [UInt128]) throws(LedgerError) -> [LedgerTransfer] {
    try batch(count: ids.count) { (_: UInt64) throws(SQLiteError) in
      let found = try read(transfers: ids)
      return ids.compactMap { found[$0]?.transfer }
    }
  }

  /// One transaction: expired reservations are released, then the body runs. `first` is the
  /// timestamp of its first event.
  func batch<Result>(
    count: Int, _ body: (_ first: UInt64) throws(SQLiteError) -> Result
  ) throws(LedgerError) -> Result {
    guard count <= batchMax else { throw .batchTooLarge(events: count, max: batchMax) }
    let now = UInt64(max(0, wall().microseconds)) * 1_000
    let result: Result
    do {
      result = try connection.transaction { () throws(SQLiteError) in
        try checkCache()
        let first = max(now, lastTimestamp + 1)
        try releaseExpired(by: first)
        let result = try body(first)
        // Timestamps of a batch that fails are not given again either.
        lastTimestamp = first + UInt64(count)
        return result
      }
    } catch {
      cache = [:]
      dataVersion = -1
      throw .storage(detail: "\(error)")
    }
    return result
  }

  /// Another process that wrote (a repair, a second host by mistake) is noticed inside the
  /// transaction: `data_version` changes with every commit but our own.
  private func checkCache() throws(SQLiteError) {
    let version = try connection.run("PRAGMA data_version").first?.first?.int ?? 0
    if version != dataVersion {
      cache = [:]
      hasBurnt = try !connection.run("SELECT 1 FROM failed LIMIT 1").isEmpty
      lastTimestamp = max(lastTimestamp, try Self.newestTimestamp(connection))
      greatestID = try Self.greatestID(connection)
      dataVersion = version
    }
    if cache.count > Self.cacheMax { cache = [:] }
  }

  /// LIMIT: expiries handled before one batch; the rest follow with the next.
  private static let expiriesMax: Int64 = 8_189

  private func releaseExpired(by timestamp: UInt64) throws(SQLiteError) {
    let rows = try connection.run(
      """
      SELECT id FROM transfer WHERE state = 1 AND timeout > 0
        AND timestamp + timeout * 1000000000 <= ? ORDER BY timestamp + timeout * 1000000000 LIMIT ?
      """,
      .integer(Int64(timestamp)), .integer(Self.expiriesMax))
    guard !rows.isEmpty else { return }
    let ids = rows.compactMap { $0[0].bytes.map(UInt128.init(bigEndianBytes:)) }
    var machine = LedgerMachine(transfers: try read(transfers: ids))
    machine.accounts = try read(
      accounts: machine.transfers.values.flatMap {
        [$0.transfer.debitAccountID, $0.transfer.creditAccountID]
      })
    machine.expire(ids)
    try write(machine)
  }

  /// Everything a batch of transfers can look at.
  private func machine(for events: [LedgerTransfer]) throws(SQLiteError) -> LedgerMachine {
    var ids: [UInt128] = []
    var accountIDs: Set<UInt128> = []
    ids.reserveCapacity(events.count)
    for event in events {
      ids.append(event.id)
      if event.pendingID != 0 { ids.append(event.pendingID) }
      accountIDs.insert(event.debitAccountID)
      accountIDs.insert(event.creditAccountID)
    }
    let transfers = try read(transfers: ids.filter { $0 <= greatestID })
    // A posted retry is compared with its pending transfer, and a pending one moves its accounts.
    for stored in transfers.values {
      accountIDs.insert(stored.transfer.debitAccountID)
      accountIDs.insert(stored.transfer.creditAccountID)
    }
    let burnt = try read(burnt: ids.filter { transfers[$0] == nil })
    return LedgerMachine(
      accounts: try read(accounts: accountIDs), transfers: transfers, burnt: burnt)
  }
}
