// SPDX-License-Identifier: Apache-2.0
import SQLite

extension SQLiteLedger {
  public func transfers(of filter: LedgerFilter) throws(LedgerError) -> [LedgerTransfer] {
    guard filter.debits || filter.credits, filter.limit > 0 else { return [] }
    return try batch(count: 0) { (_: UInt64) throws(SQLiteError) in
      guard let account = try read(accounts: [filter.accountID])[filter.accountID] else {
        return []
      }
      let side =
        filter.debits && filter.credits
        ? "(transfer.debit = ?1 OR transfer.credit = ?1)"
        : filter.debits ? "transfer.debit = ?1" : "transfer.credit = ?1"
      let statement = try connection.cachedStatement(
        """
        SELECT \(Self.transferColumns) FROM \(Self.transferTables)
        WHERE \(side) AND transfer.timestamp BETWEEN ?2 AND ?3
        ORDER BY transfer.timestamp \(filter.newestFirst ? "DESC" : "ASC") LIMIT ?4
        """)
      try statement.bind(bounds(of: filter, account))
      defer { statement.reset() }
      var found: [LedgerTransfer] = []
      while try statement.step() { found.append(Self.transfer(statement).transfer) }
      return found
    }
  }

  public func balances(of filter: LedgerFilter) throws(LedgerError) -> [LedgerBalance] {
    guard filter.debits || filter.credits, filter.limit > 0 else { return [] }
    return try batch(count: 0) { (_: UInt64) throws(SQLiteError) in
      guard let account = try read(accounts: [filter.accountID])[filter.accountID],
        account.flags.contains(.history)
      else { return [] }
      let side =
        filter.debits && filter.credits
        ? "1" : filter.debits ? "transfer.debit = ?1" : "transfer.credit = ?1"
      return try connection.run(
        """
        SELECT balance.timestamp, debits_pending, debits_posted, credits_pending, credits_posted
        FROM balance JOIN transfer ON transfer.timestamp = balance.timestamp
        WHERE balance.account = ?1 AND \(side) AND balance.timestamp BETWEEN ?2 AND ?3
        ORDER BY balance.timestamp \(filter.newestFirst ? "DESC" : "ASC") LIMIT ?4
        """, bounds(of: filter, account)
      ).map { row in
        LedgerBalance(
          timestamp: UInt64(row[0].int ?? 0), debitsPending: row[1].int ?? 0,
          debitsPosted: row[2].int ?? 0, creditsPending: row[3].int ?? 0,
          creditsPosted: row[4].int ?? 0)
      }
    }
  }

  private func bounds(of filter: LedgerFilter, _ account: LedgerAccount) -> [SQLiteValue] {
    let latest = filter.timestampMax == 0 ? UInt64(Int64.max) : filter.timestampMax
    return [
      .integer(Int64(account.timestamp)), .integer(Int64(clamping: filter.timestampMin)),
      .integer(Int64(clamping: latest)), .integer(Int64(filter.limit)),
    ]
  }
}

extension SQLiteLedger {
  /// Removes settled transfers (and balances) from before `time`, at most `limit` of them; balances
  /// of accounts stay. Gives how many went.
  ///
  /// Where TigerBeetle keeps all for ever, one disk cannot. An id so old could be used again, so
  /// only callers whose ids hold their time may prune.
  func prune(before time: WallTime, limit: Int) throws(LedgerError) -> Int {
    let newest = max(0, time.microseconds) * 1_000
    return try batch(count: 0) { (_: UInt64) throws(SQLiteError) in
      let bounds: [SQLiteValue] = [.integer(newest), .integer(Int64(limit))]
      try connection.run(
        """
        DELETE FROM transfer WHERE timestamp IN (SELECT timestamp FROM transfer
          WHERE timestamp < ? AND state <> 1 ORDER BY timestamp LIMIT ?)
        """, bounds)
      let removed = connection.changes
      try connection.run(
        """
        DELETE FROM balance WHERE timestamp < ? AND NOT EXISTS
          (SELECT 1 FROM transfer WHERE transfer.timestamp = balance.timestamp)
        """, .integer(newest))
      return removed
    }
  }
}
