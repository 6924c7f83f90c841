// SPDX-License-Identifier: Apache-2.0

/// A double-entry ledger with TigerBeetle's semantics. SQLite is the embedded one; TigerBeetle
/// itself can take over behind the same calls.
///
/// All calls block and may be made from one thread at a time. A refused event is a status, not an
/// error; an error means that the answer is not known, and that the same call with the same ids may
/// be repeated.
public protocol Ledger: AnyObject {
  /// The most events one call takes.
  var batchMax: Int { get }

  /// One batch: each event alone, chains as a whole, in order. Answers one status an event.
  func create(accounts: [LedgerAccount]) throws(LedgerError) -> [AccountStatus]
  func create(transfers: [LedgerTransfer]) throws(LedgerError) -> [TransferStatus]

  /// Those that exist, in the order asked.
  func lookup(accounts ids: [UInt128]) throws(LedgerError) -> [LedgerAccount]
  func lookup(transfers ids: [UInt128]) throws(LedgerError) -> [LedgerTransfer]

  /// Transfers of one account, by time.
  func transfers(of filter: LedgerFilter) throws(LedgerError) -> [LedgerTransfer]
  /// Balances of one account after each of its transfers; empty unless it has `history`.
  func balances(of filter: LedgerFilter) throws(LedgerError) -> [LedgerBalance]
}

/// Which of an account's transfers are asked for.
public struct LedgerFilter: Sendable, Equatable {
  public var accountID: UInt128
  public var debits = true
  public var credits = true
  /// Inclusive; zero is no bound. Page by passing the last timestamp plus one.
  public var timestampMin: UInt64 = 0
  public var timestampMax: UInt64 = 0
  public var limit: Int
  public var newestFirst = false

  public init(accountID: UInt128, limit: Int = 1_000) {
    self.accountID = accountID
    self.limit = limit
  }
}

/// What became of a chain that had to happen exactly once.
public enum ChainOutcome: Sendable, Equatable {
  case created
  /// It had happened before; nothing happened now.
  case existed
  /// Nothing happened; one status an event.
  case refused([TransferStatus])
}

extension Ledger {
  /// Makes a linked chain happen exactly once, however often it is submitted.
  ///
  /// A chain that succeeded answers `[exists, linked_event_failed, …]` when repeated, which alone is
  /// indistinguishable from a chain whose first id was used by something else: so every id is
  /// looked up and compared.
  public func ensure(chain: [LedgerTransfer]) throws(LedgerError) -> ChainOutcome {
    var linked = chain
    for index in linked.indices.dropLast() { linked[index].flags.insert(.linked) }
    if let last = linked.indices.last { linked[last].flags.remove(.linked) }
    let statuses = try create(transfers: linked)
    if statuses.allSatisfy({ $0 == .created }) { return .created }
    guard statuses.contains(.exists),
      statuses.allSatisfy({ $0 == .exists || $0 == .linkedEventFailed })
    else { return .refused(statuses) }
    let found = try lookup(transfers: linked.map(\.id))
    let same =
      found.count == linked.count
      && zip(found, linked).allSatisfy {
        $0.id == $1.id && $0.flags == $1.flags && $0.code == $1.code
      }
    return same ? .existed : .refused(statuses)
  }
}
