// SPDX-License-Identifier: Apache-2.0

/// The answer to one account to create. Names are TigerBeetle's, so that recorded answers compare;
/// `number` is its wire value.
public enum AccountStatus: String, Sendable, CaseIterable {
  case created
  case linkedEventFailed = "linked_event_failed"
  case linkedEventChainOpen = "linked_event_chain_open"
  case timestampMustBeZero = "timestamp_must_be_zero"
  case reservedField = "reserved_field"
  case reservedFlag = "reserved_flag"
  case idMustNotBeZero = "id_must_not_be_zero"
  case idMustNotBeIntMax = "id_must_not_be_int_max"
  case existsWithDifferentFlags = "exists_with_different_flags"
  case existsWithDifferentUserData128 = "exists_with_different_user_data_128"
  case existsWithDifferentUserData64 = "exists_with_different_user_data_64"
  case existsWithDifferentUserData32 = "exists_with_different_user_data_32"
  case existsWithDifferentLedger = "exists_with_different_ledger"
  case existsWithDifferentCode = "exists_with_different_code"
  case exists
  case flagsAreMutuallyExclusive = "flags_are_mutually_exclusive"
  case debitsPendingMustBeZero = "debits_pending_must_be_zero"
  case debitsPostedMustBeZero = "debits_posted_must_be_zero"
  case creditsPendingMustBeZero = "credits_pending_must_be_zero"
  case creditsPostedMustBeZero = "credits_posted_must_be_zero"
  case ledgerMustNotBeZero = "ledger_must_not_be_zero"
  case codeMustNotBeZero = "code_must_not_be_zero"

  /// TigerBeetle's number (0.17).
  public var number: UInt32 {
    switch self {
    case .created: .max
    case .linkedEventFailed: 1
    case .linkedEventChainOpen: 2
    case .timestampMustBeZero: 3
    case .reservedField: 4
    case .reservedFlag: 5
    case .idMustNotBeZero: 6
    case .idMustNotBeIntMax: 7
    case .existsWithDifferentFlags: 15
    case .existsWithDifferentUserData128: 16
    case .existsWithDifferentUserData64: 17
    case .existsWithDifferentUserData32: 18
    case .existsWithDifferentLedger: 19
    case .existsWithDifferentCode: 20
    case .exists: 21
    case .flagsAreMutuallyExclusive: 8
    case .debitsPendingMustBeZero: 9
    case .debitsPostedMustBeZero: 10
    case .creditsPendingMustBeZero: 11
    case .creditsPostedMustBeZero: 12
    case .ledgerMustNotBeZero: 13
    case .codeMustNotBeZero: 14
    }
  }
}

/// The answer to one transfer to create.
public enum TransferStatus: String, Sendable, CaseIterable {
  case created
  case linkedEventFailed = "linked_event_failed"
  case linkedEventChainOpen = "linked_event_chain_open"
  case timestampMustBeZero = "timestamp_must_be_zero"
  case reservedFlag = "reserved_flag"
  case idMustNotBeZero = "id_must_not_be_zero"
  case idMustNotBeIntMax = "id_must_not_be_int_max"
  case existsWithDifferentFlags = "exists_with_different_flags"
  case existsWithDifferentPendingID = "exists_with_different_pending_id"
  case existsWithDifferentTimeout = "exists_with_different_timeout"
  case existsWithDifferentDebitAccountID = "exists_with_different_debit_account_id"
  case existsWithDifferentCreditAccountID = "exists_with_different_credit_account_id"
  case existsWithDifferentAmount = "exists_with_different_amount"
  case existsWithDifferentUserData128 = "exists_with_different_user_data_128"
  case existsWithDifferentUserData64 = "exists_with_different_user_data_64"
  case existsWithDifferentUserData32 = "exists_with_different_user_data_32"
  case existsWithDifferentLedger = "exists_with_different_ledger"
  case existsWithDifferentCode = "exists_with_different_code"
  case exists
  case idAlreadyFailed = "id_already_failed"
  case flagsAreMutuallyExclusive = "flags_are_mutually_exclusive"
  case debitAccountIDMustNotBeZero = "debit_account_id_must_not_be_zero"
  case debitAccountIDMustNotBeIntMax = "debit_account_id_must_not_be_int_max"
  case creditAccountIDMustNotBeZero = "credit_account_id_must_not_be_zero"
  case creditAccountIDMustNotBeIntMax = "credit_account_id_must_not_be_int_max"
  case accountsMustBeDifferent = "accounts_must_be_different"
  case pendingIDMustBeZero = "pending_id_must_be_zero"
  case pendingIDMustNotBeZero = "pending_id_must_not_be_zero"
  case pendingIDMustNotBeIntMax = "pending_id_must_not_be_int_max"
  case pendingIDMustBeDifferent = "pending_id_must_be_different"
  case timeoutReservedForPendingTransfer = "timeout_reserved_for_pending_transfer"
  case closingTransferMustBePending = "closing_transfer_must_be_pending"
  case ledgerMustNotBeZero = "ledger_must_not_be_zero"
  case codeMustNotBeZero = "code_must_not_be_zero"
  case debitAccountNotFound = "debit_account_not_found"
  case creditAccountNotFound = "credit_account_not_found"
  case accountsMustHaveTheSameLedger = "accounts_must_have_the_same_ledger"
  case transferMustHaveTheSameLedgerAsAccounts = "transfer_must_have_the_same_ledger_as_accounts"
  case pendingTransferNotFound = "pending_transfer_not_found"
  case pendingTransferNotPending = "pending_transfer_not_pending"
  case pendingTransferHasDifferentDebitAccountID = "pending_transfer_has_different_debit_account_id"
  case pendingTransferHasDifferentCreditAccountID =
    "pending_transfer_has_different_credit_account_id"
  case pendingTransferHasDifferentLedger = "pending_transfer_has_different_ledger"
  case pendingTransferHasDifferentCode = "pending_transfer_has_different_code"
  case exceedsPendingTransferAmount = "exceeds_pending_transfer_amount"
  case pendingTransferHasDifferentAmount = "pending_transfer_has_different_amount"
  case pendingTransferAlreadyPosted = "pending_transfer_already_posted"
  case pendingTransferAlreadyVoided = "pending_transfer_already_voided"
  case pendingTransferExpired = "pending_transfer_expired"
  case debitAccountAlreadyClosed = "debit_account_already_closed"
  case creditAccountAlreadyClosed = "credit_account_already_closed"
  case overflowsDebitsPending = "overflows_debits_pending"
  case overflowsCreditsPending = "overflows_credits_pending"
  case overflowsDebitsPosted = "overflows_debits_posted"
  case overflowsCreditsPosted = "overflows_credits_posted"
  case overflowsDebits = "overflows_debits"
  case overflowsCredits = "overflows_credits"
  case overflowsTimeout = "overflows_timeout"
  case exceedsCredits = "exceeds_credits"
  case exceedsDebits = "exceeds_debits"

  /// Depends on the state of the ledger, so the same request might succeed later: its id is burnt,
  /// and a retry answers `idAlreadyFailed`, so that a lost answer can never become a second try.
  public var burnsID: Bool {
    switch self {
    case .debitAccountNotFound, .creditAccountNotFound, .pendingTransferNotFound, .exceedsCredits,
      .exceedsDebits, .debitAccountAlreadyClosed, .creditAccountAlreadyClosed:
      true
    default: false
    }
  }

  /// TigerBeetle's number (0.17).
  public var number: UInt32 {
    switch self {
    case .created: .max
    case .linkedEventFailed: 1
    case .linkedEventChainOpen: 2
    case .timestampMustBeZero: 3
    case .reservedFlag: 4
    case .idMustNotBeZero: 5
    case .idMustNotBeIntMax: 6
    case .existsWithDifferentFlags: 36
    case .existsWithDifferentPendingID: 40
    case .existsWithDifferentTimeout: 44
    case .existsWithDifferentDebitAccountID: 37
    case .existsWithDifferentCreditAccountID: 38
    case .existsWithDifferentAmount: 39
    case .existsWithDifferentUserData128: 41
    case .existsWithDifferentUserData64: 42
    case .existsWithDifferentUserData32: 43
    case .existsWithDifferentLedger: 67
    case .existsWithDifferentCode: 45
    case .exists: 46
    case .idAlreadyFailed: 68
    case .flagsAreMutuallyExclusive: 7
    case .debitAccountIDMustNotBeZero: 8
    case .debitAccountIDMustNotBeIntMax: 9
    case .creditAccountIDMustNotBeZero: 10
    case .creditAccountIDMustNotBeIntMax: 11
    case .accountsMustBeDifferent: 12
    case .pendingIDMustBeZero: 13
    case .pendingIDMustNotBeZero: 14
    case .pendingIDMustNotBeIntMax: 15
    case .pendingIDMustBeDifferent: 16
    case .timeoutReservedForPendingTransfer: 17
    case .closingTransferMustBePending: 64
    case .ledgerMustNotBeZero: 19
    case .codeMustNotBeZero: 20
    case .debitAccountNotFound: 21
    case .creditAccountNotFound: 22
    case .accountsMustHaveTheSameLedger: 23
    case .transferMustHaveTheSameLedgerAsAccounts: 24
    case .pendingTransferNotFound: 25
    case .pendingTransferNotPending: 26
    case .pendingTransferHasDifferentDebitAccountID: 27
    case .pendingTransferHasDifferentCreditAccountID: 28
    case .pendingTransferHasDifferentLedger: 29
    case .pendingTransferHasDifferentCode: 30
    case .exceedsPendingTransferAmount: 31
    case .pendingTransferHasDifferentAmount: 32
    case .pendingTransferAlreadyPosted: 33
    case .pendingTransferAlreadyVoided: 34
    case .pendingTransferExpired: 35
    case .debitAccountAlreadyClosed: 65
    case .creditAccountAlreadyClosed: 66
    case .overflowsDebitsPending: 47
    case .overflowsCreditsPending: 48
    case .overflowsDebitsPosted: 49
    case .overflowsCreditsPosted: 50
    case .overflowsDebits: 51
    case .overflowsCredits: 52
    case .overflowsTimeout: 53
    case .exceedsCredits: 54
    case .exceedsDebits: 55
    }
  }
}
