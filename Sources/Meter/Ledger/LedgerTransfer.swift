// SPDX-License-Identifier: Apache-2.0

/// A movement from one account's debit side to another's credit side. Immutable once created.
public struct LedgerTransfer: Sendable, Equatable {
  /// As an amount: all there is (the whole pending amount, the whole balance).
  public static let amountMax = UInt128.max

  /// Bits of `flags` (TigerBeetle's `TransferFlags`).
  public struct Flags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let linked = Flags(rawValue: 1)
    /// Reserves the amount until it is posted, voided, or its timeout passes.
    public static let pending = Flags(rawValue: 2)
    public static let postPending = Flags(rawValue: 4)
    public static let voidPending = Flags(rawValue: 8)
    /// Move at most what the debit account's credits leave.
    public static let balancingDebit = Flags(rawValue: 16)
    public static let balancingCredit = Flags(rawValue: 32)
    /// With `pending`: close the account until the transfer is voided.
    public static let closingDebit = Flags(rawValue: 64)
    public static let closingCredit = Flags(rawValue: 128)
    static let known: Flags = [
      .linked, .pending, .postPending, .voidPending, .balancingDebit, .balancingCredit,
      .closingDebit, .closingCredit,
    ]
  }

  public var id: UInt128
  public var debitAccountID: UInt128
  public var creditAccountID: UInt128
  /// Under 2^63, or `amountMax`. In an answer: what was moved.
  public var amount: UInt128
  /// The pending transfer this one posts or voids.
  public var pendingID: UInt128
  public var userData128: UInt128
  public var userData64: UInt64
  public var userData32: UInt32
  /// Seconds until a pending transfer expires; 0 is never.
  public var timeout: UInt32
  public var ledger: UInt32
  public var code: UInt16
  public var flags: Flags
  /// Given by the ledger, strictly increasing over accounts and transfers; zero in a request.
  public var timestamp: UInt64 = 0

  public init(
    id: UInt128, debitAccountID: UInt128, creditAccountID: UInt128, amount: UInt128, ledger: UInt32,
    code: UInt16, flags: Flags = [], pendingID: UInt128 = 0, timeout: UInt32 = 0,
    userData128: UInt128 = 0, userData64: UInt64 = 0, userData32: UInt32 = 0
  ) {
    self.id = id
    self.debitAccountID = debitAccountID
    self.creditAccountID = creditAccountID
    self.amount = amount
    self.ledger = ledger
    self.code = code
    self.flags = flags
    self.pendingID = pendingID
    self.timeout = timeout
    self.userData128 = userData128
    self.userData64 = userData64
    self.userData32 = userData32
  }
}

/// What became of a pending transfer.
public enum PendingState: Int64, Sendable {
  /// Not a pending transfer.
  case none = 0
  case pending, posted, voided, expired
}
