// SPDX-License-Identifier: Apache-2.0

extension LedgerMachine {
  mutating func create(_ event: LedgerAccount, at timestamp: UInt64) -> AccountStatus {
    if event.timestamp != 0 { return .timestampMustBeZero }
    if !event.flags.isSubset(of: .known) { return .reservedFlag }
    if event.id == 0 { return .idMustNotBeZero }
    if event.id == .max { return .idMustNotBeIntMax }
    if let old = accounts[event.id] { return Self.compare(event, with: old) }
    if event.flags.isSuperset(of: [.debitsMustNotExceedCredits, .creditsMustNotExceedDebits]) {
      return .flagsAreMutuallyExclusive
    }
    if event.debitsPending != 0 { return .debitsPendingMustBeZero }
    if event.debitsPosted != 0 { return .debitsPostedMustBeZero }
    if event.creditsPending != 0 { return .creditsPendingMustBeZero }
    if event.creditsPosted != 0 { return .creditsPostedMustBeZero }
    if event.ledger == 0 { return .ledgerMustNotBeZero }
    if event.code == 0 { return .codeMustNotBeZero }
    var account = event
    account.timestamp = timestamp
    insert(account)
    return .created
  }

  private static func compare(_ new: LedgerAccount, with old: LedgerAccount) -> AccountStatus {
    if new.flags != old.flags { return .existsWithDifferentFlags }
    if new.userData128 != old.userData128 { return .existsWithDifferentUserData128 }
    if new.userData64 != old.userData64 { return .existsWithDifferentUserData64 }
    if new.userData32 != old.userData32 { return .existsWithDifferentUserData32 }
    if new.ledger != old.ledger { return .existsWithDifferentLedger }
    if new.code != old.code { return .existsWithDifferentCode }
    return .exists
  }
}
