// SPDX-License-Identifier: Apache-2.0

/// The accounts of one limit in one period, and the transfers between them. Pure.
///
/// A grant of the whole amount lies in `quota`; use drains it into `used`; what comes after it is
/// empty goes to `writtenOff`, so that metering never fails because a quota ran out. Reservations are
/// pending transfers from `quota` to `used` that are always voided, in the batch that drains what
/// was really used.
struct LimitAccounts: Sendable, Equatable {
  let limit: AppLimit
  let subject: LimitSubject
  let start: WallTime
  let supply: UInt128
  let quota: UInt128
  let used: UInt128
  let writtenOff: UInt128

  init(_ limit: AppLimit, _ subject: LimitSubject, at time: WallTime, ids: LedgerIDs) {
    self.limit = limit
    self.subject = subject
    start = limit.period.start(of: time)
    let isMoney = subject.currency != nil
    let owner = [limit.app, limit.subject, limit.period.rawValue, "\(start.microseconds)"]
    supply = ids.account(
      ledger: subject.ledger, code: isMoney ? LedgerCode.moneySupply : LedgerCode.supply, owner: [])
    quota = ids.account(
      ledger: subject.ledger, code: isMoney ? LedgerCode.wallet : LedgerCode.quota, owner: owner)
    used = ids.account(ledger: subject.ledger, code: LedgerCode.used, owner: owner)
    writtenOff = ids.account(ledger: subject.ledger, code: LedgerCode.writtenOff, owner: owner)
  }

  private var isMoney: Bool { subject.currency != nil }

  var accounts: [LedgerAccount] {
    let nanoseconds = UInt64(max(0, start.microseconds)) * 1_000
    let make = { (id: UInt128, code: UInt16, flags: LedgerAccount.Flags) in
      LedgerAccount(
        id: id, ledger: subject.ledger, code: code, flags: flags, userData64: nanoseconds)
    }
    return [
      LedgerAccount(
        id: supply, ledger: subject.ledger,
        code: isMoney ? LedgerCode.moneySupply : LedgerCode.supply),
      make(
        quota, isMoney ? LedgerCode.wallet : LedgerCode.quota, .debitsMustNotExceedCredits),
      make(used, LedgerCode.used, []), make(writtenOff, LedgerCode.writtenOff, []),
    ]
  }

  func transfer(
    _ id: UInt128, from debit: UInt128, to credit: UInt128, _ amount: Int64, code: UInt16,
    flags: LedgerTransfer.Flags = [], timeout: UInt32 = 0
  ) -> LedgerTransfer {
    LedgerTransfer(
      id: id, debitAccountID: debit, creditAccountID: credit, amount: UInt128(max(0, amount)),
      ledger: subject.ledger, code: code, flags: flags, timeout: timeout,
      userData64: UInt64(max(0, start.microseconds)) * 1_000)
  }

  /// Brings what was granted to the limit's amount: more is granted, or what is unused given back.
  func grant(granted: Int64, ids: LedgerIDs, revision: Int64) -> LedgerTransfer? {
    let missing = limit.amount - granted
    guard missing != 0 else { return nil }
    let id = ids.transfer(
      at: start,
      ["grant", "\(quota)", "\(granted)", "\(limit.amount)", "\(revision)"])
    return missing > 0
      ? transfer(id, from: supply, to: quota, missing, code: LedgerCode.grant)
      : transfer(
        id, from: quota, to: supply, -missing, code: LedgerCode.release, flags: .balancingDebit)
  }
}
