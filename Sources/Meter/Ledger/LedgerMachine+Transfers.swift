// SPDX-License-Identifier: Apache-2.0

extension LedgerMachine {
  /// Decides one transfer. Existence comes before every check of its fields, so that a retry of
  /// anything that happened says so.
  mutating func create(_ event: LedgerTransfer, at timestamp: UInt64) -> TransferStatus {
    if event.timestamp != 0 { return .timestampMustBeZero }
    if !event.flags.isSubset(of: .known) { return .reservedFlag }
    if event.id == 0 { return .idMustNotBeZero }
    if event.id == .max { return .idMustNotBeIntMax }
    if let old = transfers[event.id] { return compare(event, with: old.transfer) }
    if burnt.contains(event.id) { return .idAlreadyFailed }
    if !event.flags.isDisjoint(with: [.postPending, .voidPending]) {
      return settlePending(event, at: timestamp)
    }
    if let wrong = Self.fields(of: event) { return wrong }
    guard let debit = accounts[event.debitAccountID] else { return .debitAccountNotFound }
    guard let credit = accounts[event.creditAccountID] else { return .creditAccountNotFound }
    if debit.ledger != credit.ledger { return .accountsMustHaveTheSameLedger }
    if event.ledger != debit.ledger { return .transferMustHaveTheSameLedgerAsAccounts }
    if debit.flags.contains(.closed) { return .debitAccountAlreadyClosed }
    if credit.flags.contains(.closed) { return .creditAccountAlreadyClosed }
    return move(event, from: debit, to: credit, at: timestamp)
  }

  /// What is wrong with a transfer whatever the ledger holds.
  private static func fields(of event: LedgerTransfer) -> TransferStatus? {
    if event.debitAccountID == 0 { return .debitAccountIDMustNotBeZero }
    if event.debitAccountID == .max { return .debitAccountIDMustNotBeIntMax }
    if event.creditAccountID == 0 { return .creditAccountIDMustNotBeZero }
    if event.creditAccountID == .max { return .creditAccountIDMustNotBeIntMax }
    if event.debitAccountID == event.creditAccountID { return .accountsMustBeDifferent }
    if event.pendingID != 0 { return .pendingIDMustBeZero }
    if !event.flags.contains(.pending) {
      if event.timeout != 0 { return .timeoutReservedForPendingTransfer }
      if !event.flags.isDisjoint(with: [.closingDebit, .closingCredit]) {
        return .closingTransferMustBePending
      }
    }
    if event.ledger == 0 { return .ledgerMustNotBeZero }
    if event.code == 0 { return .codeMustNotBeZero }
    return nil
  }

  private mutating func move(
    _ event: LedgerTransfer, from debit: LedgerAccount, to credit: LedgerAccount,
    at timestamp: UInt64
  ) -> TransferStatus {
    var wanted = event.amount
    if event.flags.contains(.balancingDebit) { wanted = min(wanted, UInt128(debit.debitRoom)) }
    if event.flags.contains(.balancingCredit) { wanted = min(wanted, UInt128(credit.creditRoom)) }
    if let wrong = Self.overflow(wanted, event, debit, credit, at: timestamp) { return wrong }
    let amount = Int64(wanted)
    if debit.refusesDebit(of: amount) { return .exceedsCredits }
    if credit.refusesCredit(of: amount) { return .exceedsDebits }

    var debit = debit
    var credit = credit
    if event.flags.contains(.pending) {
      debit.debitsPending += amount
      credit.creditsPending += amount
    } else {
      debit.debitsPosted += amount
      credit.creditsPosted += amount
    }
    if event.flags.contains(.closingDebit) { debit.flags.insert(.closed) }
    if event.flags.contains(.closingCredit) { credit.flags.insert(.closed) }
    var transfer = event
    transfer.amount = wanted
    transfer.timestamp = timestamp
    insert(
      transfer, state: event.flags.contains(.pending) ? .pending : .none, debit: debit,
      credit: credit)
    return .created
  }

  /// Sums are kept under 2^63, where TigerBeetle keeps them under 2^128: the statuses are its own.
  private static func overflow(
    _ amount: UInt128, _ event: LedgerTransfer, _ debit: LedgerAccount, _ credit: LedgerAccount,
    at timestamp: UInt64
  ) -> TransferStatus? {
    func overflows(_ sum: Int64) -> Bool { amount > UInt128(Int64.max - sum) }
    if event.flags.contains(.pending) {
      if overflows(debit.debitsPending) { return .overflowsDebitsPending }
      if overflows(credit.creditsPending) { return .overflowsCreditsPending }
    }
    if overflows(debit.debitsPosted) { return .overflowsDebitsPosted }
    if overflows(credit.creditsPosted) { return .overflowsCreditsPosted }
    if overflows(debit.debitsPending + debit.debitsPosted) { return .overflowsDebits }
    if overflows(credit.creditsPending + credit.creditsPosted) { return .overflowsCredits }
    let nanoseconds = UInt128(timestamp) + UInt128(event.timeout) * 1_000_000_000
    return nanoseconds > UInt128(Int64.max) ? .overflowsTimeout : nil
  }

  /// A transfer whose id exists: the first difference, or `exists`.
  private func compare(_ new: LedgerTransfer, with old: LedgerTransfer) -> TransferStatus {
    if new.flags != old.flags { return .existsWithDifferentFlags }
    if new.pendingID != old.pendingID { return .existsWithDifferentPendingID }
    if new.timeout != old.timeout { return .existsWithDifferentTimeout }
    if !new.flags.isDisjoint(with: [.postPending, .voidPending]) {
      return compareSettling(new, with: old)
    }
    if new.debitAccountID != old.debitAccountID { return .existsWithDifferentDebitAccountID }
    if new.creditAccountID != old.creditAccountID { return .existsWithDifferentCreditAccountID }
    // A balancing amount is an upper bound: any bound not below what was moved is the same request.
    let isBalancing = !new.flags.isDisjoint(with: [.balancingDebit, .balancingCredit])
    if isBalancing ? new.amount < old.amount : new.amount != old.amount {
      return .existsWithDifferentAmount
    }
    if new.userData128 != old.userData128 { return .existsWithDifferentUserData128 }
    if new.userData64 != old.userData64 { return .existsWithDifferentUserData64 }
    if new.userData32 != old.userData32 { return .existsWithDifferentUserData32 }
    if new.ledger != old.ledger { return .existsWithDifferentLedger }
    if new.code != old.code { return .existsWithDifferentCode }
    return .exists
  }
}
