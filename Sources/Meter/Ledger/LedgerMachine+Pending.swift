// SPDX-License-Identifier: Apache-2.0

extension LedgerMachine {
  /// Posts or voids a pending transfer. Fields left zero are inherited from it.
  mutating func settlePending(_ event: LedgerTransfer, at timestamp: UInt64) -> TransferStatus {
    if let wrong = Self.settlingFields(of: event) { return wrong }
    guard let stored = transfers[event.pendingID] else { return .pendingTransferNotFound }
    let pending = stored.transfer
    if !pending.flags.contains(.pending) { return .pendingTransferNotPending }
    guard let debit = accounts[pending.debitAccountID],
      let credit = accounts[pending.creditAccountID]
    else { return .debitAccountNotFound }
    if let wrong = Self.differs(event, from: pending) { return wrong }

    let isVoid = event.flags.contains(.voidPending)
    let isAll = isVoid ? event.amount == 0 : event.amount == LedgerTransfer.amountMax
    let wanted = isAll ? pending.amount : event.amount
    if wanted > pending.amount { return .exceedsPendingTransferAmount }
    if isVoid, wanted < pending.amount { return .pendingTransferHasDifferentAmount }
    switch stored.state {
    case .posted: return .pendingTransferAlreadyPosted
    case .voided: return .pendingTransferAlreadyVoided
    case .expired: return .pendingTransferExpired
    case .none, .pending: break
    }
    if let expires = stored.expires, expires <= timestamp { return .pendingTransferExpired }
    // A closed account lets nothing through but the voiding of what is pending.
    if debit.flags.contains(.closed), !isVoid { return .debitAccountAlreadyClosed }
    if credit.flags.contains(.closed), !isVoid { return .creditAccountAlreadyClosed }
    apply(event, wanted: wanted, to: stored, debit, credit, at: timestamp)
    return .created
  }

  private mutating func apply(
    _ event: LedgerTransfer, wanted: UInt128, to stored: StoredTransfer, _ debit: LedgerAccount,
    _ credit: LedgerAccount, at timestamp: UInt64
  ) {
    let pending = stored.transfer
    let isVoid = event.flags.contains(.voidPending)
    var debit = debit
    var credit = credit
    debit.debitsPending -= stored.amount
    credit.creditsPending -= stored.amount
    if isVoid {
      if pending.flags.contains(.closingDebit) { debit.flags.remove(.closed) }
      if pending.flags.contains(.closingCredit) { credit.flags.remove(.closed) }
    } else {
      debit.debitsPosted += Int64(wanted)
      credit.creditsPosted += Int64(wanted)
    }
    var transfer = LedgerTransfer(
      id: event.id, debitAccountID: pending.debitAccountID,
      creditAccountID: pending.creditAccountID, amount: wanted, ledger: pending.ledger,
      code: pending.code, flags: event.flags, pendingID: event.pendingID,
      userData128: event.userData128 == 0 ? pending.userData128 : event.userData128,
      userData64: event.userData64 == 0 ? pending.userData64 : event.userData64,
      userData32: event.userData32 == 0 ? pending.userData32 : event.userData32)
    transfer.timestamp = timestamp
    settle(stored, as: isVoid ? .voided : .posted)
    insert(transfer, state: .none, debit: debit, credit: credit)
  }

  private static func settlingFields(of event: LedgerTransfer) -> TransferStatus? {
    if event.flags.isSuperset(of: [.postPending, .voidPending]) {
      return .flagsAreMutuallyExclusive
    }
    let others: LedgerTransfer.Flags = [
      .pending, .balancingDebit, .balancingCredit, .closingDebit, .closingCredit,
    ]
    if !event.flags.isDisjoint(with: others) { return .flagsAreMutuallyExclusive }
    if event.pendingID == 0 { return .pendingIDMustNotBeZero }
    if event.pendingID == .max { return .pendingIDMustNotBeIntMax }
    if event.pendingID == event.id { return .pendingIDMustBeDifferent }
    if event.timeout != 0 { return .timeoutReservedForPendingTransfer }
    return nil
  }

  private static func differs(
    _ event: LedgerTransfer, from pending: LedgerTransfer
  ) -> TransferStatus? {
    if event.debitAccountID != 0, event.debitAccountID != pending.debitAccountID {
      return .pendingTransferHasDifferentDebitAccountID
    }
    if event.creditAccountID != 0, event.creditAccountID != pending.creditAccountID {
      return .pendingTransferHasDifferentCreditAccountID
    }
    if event.ledger != 0, event.ledger != pending.ledger {
      return .pendingTransferHasDifferentLedger
    }
    if event.code != 0, event.code != pending.code { return .pendingTransferHasDifferentCode }
    return nil
  }

  /// A repeated posting or voiding, compared with what it did. Zero means inherited, so it is
  /// compared with what it would have inherited.
  func compareSettling(_ new: LedgerTransfer, with old: LedgerTransfer) -> TransferStatus {
    let pending = transfers[new.pendingID]?.transfer ?? old
    if new.debitAccountID != 0, new.debitAccountID != old.debitAccountID {
      return .existsWithDifferentDebitAccountID
    }
    if new.creditAccountID != 0, new.creditAccountID != old.creditAccountID {
      return .existsWithDifferentCreditAccountID
    }
    let isAll =
      new.flags.contains(.voidPending)
      ? new.amount == 0 : new.amount == LedgerTransfer.amountMax
    if (isAll ? pending.amount : new.amount) != old.amount { return .existsWithDifferentAmount }
    if (new.userData128 == 0 ? pending.userData128 : new.userData128) != old.userData128 {
      return .existsWithDifferentUserData128
    }
    if (new.userData64 == 0 ? pending.userData64 : new.userData64) != old.userData64 {
      return .existsWithDifferentUserData64
    }
    if (new.userData32 == 0 ? pending.userData32 : new.userData32) != old.userData32 {
      return .existsWithDifferentUserData32
    }
    if new.ledger != 0, new.ledger != old.ledger { return .existsWithDifferentLedger }
    if new.code != 0, new.code != old.code { return .existsWithDifferentCode }
    return .exists
  }
}
