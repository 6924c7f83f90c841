// SPDX-License-Identifier: Apache-2.0

/// One account of one ledger: two sides, each with a posted and a pending sum.
///
/// The fields, flags and their bits are those of TigerBeetle, so that the same values go to either
/// backend. Sums stay under 2^63.
public struct LedgerAccount: Sendable, Equatable {
  /// Bits of `flags` (TigerBeetle's `AccountFlags`).
  public struct Flags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    /// All of a chain of linked events happens, or none of it.
    public static let linked = Flags(rawValue: 1)
    public static let debitsMustNotExceedCredits = Flags(rawValue: 2)
    public static let creditsMustNotExceedDebits = Flags(rawValue: 4)
    /// Keep a balance per transfer, for `balances(of:)`.
    public static let history = Flags(rawValue: 8)
    /// Takes no transfers but the voiding of pending ones.
    public static let closed = Flags(rawValue: 32)
    /// Everything else, `imported` (16) included, is refused as reserved.
    static let known: Flags = [
      .linked, .debitsMustNotExceedCredits, .creditsMustNotExceedDebits, .history, .closed,
    ]
  }

  public var id: UInt128
  public var debitsPending: Int64 = 0
  public var debitsPosted: Int64 = 0
  public var creditsPending: Int64 = 0
  public var creditsPosted: Int64 = 0
  public var userData128: UInt128
  public var userData64: UInt64
  public var userData32: UInt32
  public var ledger: UInt32
  public var code: UInt16
  public var flags: Flags
  /// Given by the ledger; zero in a request.
  public var timestamp: UInt64 = 0

  public init(
    id: UInt128, ledger: UInt32, code: UInt16, flags: Flags = [], userData128: UInt128 = 0,
    userData64: UInt64 = 0, userData32: UInt32 = 0
  ) {
    self.id = id
    self.ledger = ledger
    self.code = code
    self.flags = flags
    self.userData128 = userData128
    self.userData64 = userData64
    self.userData32 = userData32
  }

  /// Whether a debit of `amount` would break the account's limit; pending sums count.
  func refusesDebit(of amount: Int64) -> Bool {
    flags.contains(.debitsMustNotExceedCredits)
      && Int128(debitsPending) + Int128(debitsPosted) + Int128(amount) > Int128(creditsPosted)
  }

  func refusesCredit(of amount: Int64) -> Bool {
    flags.contains(.creditsMustNotExceedDebits)
      && Int128(creditsPending) + Int128(creditsPosted) + Int128(amount) > Int128(debitsPosted)
  }

  /// What may still be debited before debits reach credits.
  public var debitRoom: Int64 { max(0, creditsPosted - debitsPosted - debitsPending) }
  public var creditRoom: Int64 { max(0, debitsPosted - creditsPosted - creditsPending) }
}

/// The four sums of an account after one transfer.
public struct LedgerBalance: Sendable, Equatable {
  public var timestamp: UInt64
  public var debitsPending: Int64
  public var debitsPosted: Int64
  public var creditsPending: Int64
  public var creditsPosted: Int64

  public init(
    timestamp: UInt64, debitsPending: Int64, debitsPosted: Int64, creditsPending: Int64,
    creditsPosted: Int64
  ) {
    self.timestamp = timestamp
    self.debitsPending = debitsPending
    self.debitsPosted = debitsPosted
    self.creditsPending = creditsPending
    self.creditsPosted = creditsPosted
  }

  init(_ account: LedgerAccount, at timestamp: UInt64) {
    self.init(
      timestamp: timestamp, debitsPending: account.debitsPending,
      debitsPosted: account.debitsPosted, creditsPending: account.creditsPending,
      creditsPosted: account.creditsPosted)
  }
}
