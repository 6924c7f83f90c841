// SPDX-License-Identifier: Apache-2.0
import SQLite

extension SQLiteLedger {
  private static let accountColumns = """
    timestamp, id, debits_pending, debits_posted, credits_pending, credits_posted, user_data_128,
    user_data_64, user_data_32, ledger, code, flags
    """

  func read(accounts ids: some Sequence<UInt128>) throws(SQLiteError) -> [UInt128: LedgerAccount] {
    let statement = try connection.cachedStatement(
      "SELECT \(Self.accountColumns) FROM account WHERE id = ?")
    defer { statement.reset() }
    var found: [UInt128: LedgerAccount] = [:]
    for id in ids where found[id] == nil {
      if let known = cache[id] {
        found[id] = known
        continue
      }
      statement.reset()
      try statement.bind(wide: id, at: 1)
      guard try statement.step() else { continue }
      let account = Self.account(statement)
      found[id] = account
      cache[id] = account
    }
    return found
  }

  private static func account(_ row: SQLiteStatement) -> LedgerAccount {
    var account = LedgerAccount(
      id: row.wide(1), ledger: UInt32(row.integer(9)), code: UInt16(row.integer(10)),
      flags: .init(rawValue: UInt16(row.integer(11))), userData128: row.wide(6),
      userData64: UInt64(bitPattern: row.integer(7)), userData32: UInt32(row.integer(8)))
    account.timestamp = UInt64(row.integer(0))
    account.debitsPending = row.integer(2)
    account.debitsPosted = row.integer(3)
    account.creditsPending = row.integer(4)
    account.creditsPosted = row.integer(5)
    return account
  }

  static let transferColumns = """
    transfer.timestamp, transfer.id, debit.id, credit.id, amount, pending_id,
    transfer.user_data_128, transfer.user_data_64, transfer.user_data_32, timeout,
    transfer.ledger, transfer.code, transfer.flags, state
    """
  static let transferTables = """
    transfer JOIN account AS debit ON debit.timestamp = transfer.debit
    JOIN account AS credit ON credit.timestamp = transfer.credit
    """

  func read(transfers ids: [UInt128]) throws(SQLiteError) -> [UInt128: StoredTransfer] {
    let statement = try connection.cachedStatement(
      "SELECT \(Self.transferColumns) FROM \(Self.transferTables) WHERE transfer.id = ?")
    defer { statement.reset() }
    var found: [UInt128: StoredTransfer] = [:]
    for id in ids where found[id] == nil {
      // What a retried posting is compared with is found too, though nobody named it.
      var next: UInt128? = id
      while let wanted = next, found[wanted] == nil {
        next = nil
        statement.reset()
        try statement.bind(wide: wanted, at: 1)
        guard try statement.step() else { continue }
        let stored = Self.transfer(statement)
        found[wanted] = stored
        if stored.transfer.pendingID != 0 { next = stored.transfer.pendingID }
      }
    }
    return found
  }

  static func transfer(_ row: SQLiteStatement) -> StoredTransfer {
    var transfer = LedgerTransfer(
      id: row.wide(1), debitAccountID: row.wide(2), creditAccountID: row.wide(3),
      amount: UInt128(row.integer(4)), ledger: UInt32(row.integer(10)),
      code: UInt16(row.integer(11)), flags: .init(rawValue: UInt16(row.integer(12))),
      pendingID: row.wide(5), timeout: UInt32(row.integer(9)),
      userData128: row.wide(6), userData64: UInt64(bitPattern: row.integer(7)),
      userData32: UInt32(row.integer(8)))
    transfer.timestamp = UInt64(row.integer(0))
    return StoredTransfer(
      transfer: transfer, state: PendingState(rawValue: row.integer(13)) ?? .none)
  }

  func read(burnt ids: [UInt128]) throws(SQLiteError) -> Set<UInt128> {
    guard hasBurnt else { return [] }
    let statement = try connection.cachedStatement("SELECT 1 FROM failed WHERE id = ?")
    defer { statement.reset() }
    var found: Set<UInt128> = []
    for id in ids {
      statement.reset()
      try statement.bind(wide: id, at: 1)
      if try statement.step() { found.insert(id) }
    }
    return found
  }

  // MARK: - Writing

  func write(_ machine: LedgerMachine) throws(SQLiteError) {
    let new = Set(machine.newAccounts)
    for id in machine.newAccounts {
      if let account = machine.accounts[id] { try insert(account) }
    }
    let update = try connection.cachedStatement(
      """
      UPDATE account SET debits_pending = ?, debits_posted = ?, credits_pending = ?,
        credits_posted = ?, flags = ? WHERE timestamp = ?
      """)
    for id in machine.touchedAccounts where !new.contains(id) {
      guard let account = machine.accounts[id] else { continue }
      cache[id] = account
      try update.bind(integer: account.debitsPending, at: 1)
      try update.bind(integer: account.debitsPosted, at: 2)
      try update.bind(integer: account.creditsPending, at: 3)
      try update.bind(integer: account.creditsPosted, at: 4)
      try update.bind(integer: Int64(account.flags.rawValue), at: 5)
      try update.bind(integer: Int64(account.timestamp), at: 6)
      try update.finish()
    }
    for id in machine.newTransfers {
      if let stored = machine.transfers[id] { try insert(stored, machine.accounts) }
    }
    let newTransfers = Set(machine.newTransfers)
    for id in machine.settledTransfers where !newTransfers.contains(id) {
      guard let stored = machine.transfers[id] else { continue }
      try connection.run(
        "UPDATE transfer SET state = ? WHERE timestamp = ?", .integer(stored.state.rawValue),
        .integer(Int64(stored.transfer.timestamp)))
    }
    if !machine.newlyBurnt.isEmpty { hasBurnt = true }
    for id in machine.newlyBurnt {
      try connection.run("INSERT INTO failed VALUES (?)", .blob(id.bigEndianBytes))
    }
    for (id, balance) in machine.history {
      guard let account = machine.accounts[id] else { continue }
      try connection.run(
        "INSERT INTO balance VALUES (?, ?, ?, ?, ?, ?)", .integer(Int64(account.timestamp)),
        .integer(Int64(balance.timestamp)), .integer(balance.debitsPending),
        .integer(balance.debitsPosted), .integer(balance.creditsPending),
        .integer(balance.creditsPosted))
    }
  }

  private func insert(_ account: LedgerAccount) throws(SQLiteError) {
    cache[account.id] = account
    try connection.run(
      "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      .integer(Int64(account.timestamp)), .blob(account.id.bigEndianBytes),
      .integer(account.debitsPending), .integer(account.debitsPosted),
      .integer(account.creditsPending), .integer(account.creditsPosted),
      .blob(account.userData128.bigEndianBytes), .integer(Int64(bitPattern: account.userData64)),
      .integer(Int64(account.userData32)), .integer(Int64(account.ledger)),
      .integer(Int64(account.code)), .integer(Int64(account.flags.rawValue)))
  }

  private func insert(
    _ stored: StoredTransfer, _ accounts: [UInt128: LedgerAccount]
  ) throws(SQLiteError) {
    let transfer = stored.transfer
    guard let debit = accounts[transfer.debitAccountID],
      let credit = accounts[transfer.creditAccountID]
    else { return }
    let insert = try connection.cachedStatement(
      "INSERT INTO transfer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    try insert.bind(integer: Int64(transfer.timestamp), at: 1)
    try insert.bind(wide: transfer.id, at: 2)
    try insert.bind(integer: Int64(debit.timestamp), at: 3)
    try insert.bind(integer: Int64(credit.timestamp), at: 4)
    try insert.bind(integer: stored.amount, at: 5)
    try bindOptional(transfer.pendingID, to: insert, at: 6)
    try bindOptional(transfer.userData128, to: insert, at: 7)
    try insert.bind(integer: Int64(bitPattern: transfer.userData64), at: 8)
    try insert.bind(integer: Int64(transfer.userData32), at: 9)
    try insert.bind(integer: Int64(transfer.timeout), at: 10)
    try insert.bind(integer: Int64(transfer.ledger), at: 11)
    try insert.bind(integer: Int64(transfer.code), at: 12)
    try insert.bind(integer: Int64(transfer.flags.rawValue), at: 13)
    try insert.bind(integer: stored.state.rawValue, at: 14)
    try insert.finish()
    greatestID = max(greatestID, transfer.id)
  }

  private func bindOptional(
    _ value: UInt128, to statement: SQLiteStatement, at index: Int
  ) throws(SQLiteError) {
    guard value != 0 else { return try statement.bindNull(at: index) }
    try statement.bind(wide: value, at: index)
  }
}

extension UInt128 {
  init(bigEndianBytes bytes: [UInt8]) {
    self = bytes.prefix(16).reduce(0) { $0 << 8 | UInt128($1) }
  }

  var bigEndianBytes: [UInt8] {
    withUnsafeBytes(of: bigEndian) { Array($0) }
  }
}
