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
      statement.reset()
      try statement.bind(.blob(id.bigEndianBytes), at: 1)
      if try statement.step() { found[id] = Self.account(statement) }
    }
    return found
  }

  private static func account(_ row: SQLiteStatement) -> LedgerAccount {
    var account = LedgerAccount(
      id: row.identifier(1), ledger: UInt32(row.integer(9)), code: UInt16(row.integer(10)),
      flags: .init(rawValue: UInt16(row.integer(11))), userData128: row.identifier(6),
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
        try statement.bind(.blob(wanted.bigEndianBytes), at: 1)
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
      id: row.identifier(1), debitAccountID: row.identifier(2), creditAccountID: row.identifier(3),
      amount: UInt128(row.integer(4)), ledger: UInt32(row.integer(10)),
      code: UInt16(row.integer(11)), flags: .init(rawValue: UInt16(row.integer(12))),
      pendingID: row.identifier(5), timeout: UInt32(row.integer(9)),
      userData128: row.identifier(6), userData64: UInt64(bitPattern: row.integer(7)),
      userData32: UInt32(row.integer(8)))
    transfer.timestamp = UInt64(row.integer(0))
    return StoredTransfer(
      transfer: transfer, state: PendingState(rawValue: row.integer(13)) ?? .none)
  }

  func read(burnt ids: [UInt128]) throws(SQLiteError) -> Set<UInt128> {
    let statement = try connection.cachedStatement("SELECT 1 FROM failed WHERE id = ?")
    defer { statement.reset() }
    var found: Set<UInt128> = []
    for id in ids {
      statement.reset()
      try statement.bind(.blob(id.bigEndianBytes), at: 1)
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
      try update.execute([
        .integer(account.debitsPending), .integer(account.debitsPosted),
        .integer(account.creditsPending), .integer(account.creditsPosted),
        .integer(Int64(account.flags.rawValue)), .integer(Int64(account.timestamp)),
      ])
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
    try connection.cachedStatement(
      "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    .execute([
      .integer(Int64(account.timestamp)), .blob(account.id.bigEndianBytes),
      .integer(account.debitsPending), .integer(account.debitsPosted),
      .integer(account.creditsPending), .integer(account.creditsPosted),
      .blob(account.userData128.bigEndianBytes), .integer(Int64(bitPattern: account.userData64)),
      .integer(Int64(account.userData32)), .integer(Int64(account.ledger)),
      .integer(Int64(account.code)), .integer(Int64(account.flags.rawValue)),
    ])
  }

  private func insert(
    _ stored: StoredTransfer, _ accounts: [UInt128: LedgerAccount]
  ) throws(SQLiteError) {
    let transfer = stored.transfer
    guard let debit = accounts[transfer.debitAccountID],
      let credit = accounts[transfer.creditAccountID]
    else { return }
    try connection.cachedStatement(
      "INSERT INTO transfer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ).execute([
      .integer(Int64(transfer.timestamp)), .blob(transfer.id.bigEndianBytes),
      .integer(Int64(debit.timestamp)), .integer(Int64(credit.timestamp)),
      .integer(stored.amount),
      transfer.pendingID == 0 ? .null : .blob(transfer.pendingID.bigEndianBytes),
      transfer.userData128 == 0 ? .null : .blob(transfer.userData128.bigEndianBytes),
      .integer(Int64(bitPattern: transfer.userData64)), .integer(Int64(transfer.userData32)),
      .integer(Int64(transfer.timeout)), .integer(Int64(transfer.ledger)),
      .integer(Int64(transfer.code)), .integer(Int64(transfer.flags.rawValue)),
      .integer(stored.state.rawValue),
    ])
  }
}

extension SQLiteStatement {
  fileprivate func integer(_ column: Int) -> Int64 { self[column].int ?? 0 }
  fileprivate func identifier(_ column: Int) -> UInt128 {
    self[column].bytes.map(UInt128.init(bigEndianBytes:)) ?? 0
  }
  /// Binds, runs to the end and is ready again.
  fileprivate func execute(_ values: [SQLiteValue]) throws(SQLiteError) {
    reset()
    try bind(values)
    _ = try step()
    reset()
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
