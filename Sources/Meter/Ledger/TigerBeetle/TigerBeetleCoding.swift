// SPDX-License-Identifier: Apache-2.0
package import CTigerBeetle

/// Our values as TigerBeetle's structures, and back. Host byte order: little-endian on every
/// platform the library exists for.
package enum TigerBeetleCoding {
  package static func wide(_ value: UInt128) -> bh_tb_wide {
    bh_tb_wide(
      lo: UInt64(truncatingIfNeeded: value), hi: UInt64(truncatingIfNeeded: value >> 64))
  }

  package static func value(_ wide: bh_tb_wide) -> UInt128 {
    UInt128(wide.hi) << 64 | UInt128(wide.lo)
  }

  package static func encode(_ account: LedgerAccount) -> bh_tb_account {
    var out = bh_tb_account()
    out.id = wide(account.id)
    out.user_data_128 = wide(account.userData128)
    out.user_data_64 = account.userData64
    out.user_data_32 = account.userData32
    out.ledger = account.ledger
    out.code = account.code
    out.flags = account.flags.rawValue
    out.timestamp = account.timestamp
    return out
  }

  /// - Throws: `amountTooLarge` for a sum of 2^63 or more, which only another client can have made.
  package static func decode(_ stored: bh_tb_account) throws(LedgerError) -> LedgerAccount {
    var account = LedgerAccount(
      id: value(stored.id), ledger: stored.ledger, code: stored.code,
      flags: .init(rawValue: stored.flags), userData128: value(stored.user_data_128),
      userData64: stored.user_data_64, userData32: stored.user_data_32)
    account.timestamp = stored.timestamp
    account.debitsPending = try sum(stored.debits_pending)
    account.debitsPosted = try sum(stored.debits_posted)
    account.creditsPending = try sum(stored.credits_pending)
    account.creditsPosted = try sum(stored.credits_posted)
    return account
  }

  package static func sum(_ wide: bh_tb_wide) throws(LedgerError) -> Int64 {
    guard let sum = Int64(exactly: value(wide)) else { throw .amountTooLarge }
    return sum
  }

  /// - Throws: `amountTooLarge` for an amount the embedded ledger would refuse too.
  package static func encode(_ transfer: LedgerTransfer) throws(LedgerError) -> bh_tb_transfer {
    let takesAll: LedgerTransfer.Flags = [
      .postPending, .voidPending, .balancingDebit, .balancingCredit,
    ]
    let isAll = transfer.amount == LedgerTransfer.amountMax
    guard
      transfer.amount <= UInt128(Int64.max) || (isAll && !transfer.flags.isDisjoint(with: takesAll))
    else { throw .amountTooLarge }
    var out = bh_tb_transfer()
    out.id = wide(transfer.id)
    out.debit_account_id = wide(transfer.debitAccountID)
    out.credit_account_id = wide(transfer.creditAccountID)
    out.amount = wide(transfer.amount)
    out.pending_id = wide(transfer.pendingID)
    out.user_data_128 = wide(transfer.userData128)
    out.user_data_64 = transfer.userData64
    out.user_data_32 = transfer.userData32
    out.timeout = transfer.timeout
    out.ledger = transfer.ledger
    out.code = transfer.code
    out.flags = transfer.flags.rawValue
    out.timestamp = transfer.timestamp
    return out
  }

  package static func decode(_ stored: bh_tb_transfer) -> LedgerTransfer {
    var transfer = LedgerTransfer(
      id: value(stored.id), debitAccountID: value(stored.debit_account_id),
      creditAccountID: value(stored.credit_account_id), amount: value(stored.amount),
      ledger: stored.ledger, code: stored.code, flags: .init(rawValue: stored.flags),
      pendingID: value(stored.pending_id), timeout: stored.timeout,
      userData128: value(stored.user_data_128), userData64: stored.user_data_64,
      userData32: stored.user_data_32)
    transfer.timestamp = stored.timestamp
    return transfer
  }

  package static func encode(_ filter: LedgerFilter) -> bh_tb_filter {
    var out = bh_tb_filter()
    out.account_id = wide(filter.accountID)
    out.timestamp_min = filter.timestampMin
    out.timestamp_max = filter.timestampMax
    out.limit = UInt32(clamping: filter.limit)
    out.flags =
      (filter.debits ? 1 : 0) | (filter.credits ? 2 : 0) | (filter.newestFirst ? 4 : 0)
    return out
  }

  /// Values as the bytes of a request.
  package static func bytes<Value: BitwiseCopyable>(_ values: [Value]) -> [UInt8] {
    values.withUnsafeBytes { Array($0) }
  }

  /// - Throws: `unavailable` if the bytes are no whole number of values.
  package static func values<Value: BitwiseCopyable>(
    _ bytes: [UInt8], of type: Value.Type
  ) throws(LedgerError) -> [Value] {
    let size = MemoryLayout<Value>.stride
    guard bytes.count % size == 0 else {
      throw .unavailable(why: "TigerBeetle answered \(bytes.count) bytes, no multiple of \(size)")
    }
    return bytes.withUnsafeBytes { raw in
      stride(from: 0, to: raw.count, by: size).map {
        raw.loadUnaligned(fromByteOffset: $0, as: Value.self)
      }
    }
  }
}
