// SPDX-License-Identifier: Apache-2.0
internal import CTigerBeetle

/// The ledger in a TigerBeetle cluster: replicated, where the embedded one is as durable as one disk.
///
/// Chosen in the host's configuration. A request that timed out may have taken effect; callers
/// repeat it with the same ids, as they do after a crash.
public final class TigerBeetleLedger: Ledger {
  private let client: TigerBeetleClient
  public var batchMax: Int { client.configuration.batchMax }

  public init(client: TigerBeetleClient) { self.client = client }

  /// Whether the cluster answers within the deadline: the client connects in the background and
  /// never says that it could not.
  public func waitUntilReady() throws(LedgerError) {
    _ = try lookup(accounts: [1])
  }

  public func create(accounts: [LedgerAccount]) throws(LedgerError) -> [AccountStatus] {
    guard !accounts.isEmpty else { return [] }
    try check(accounts.count)
    let answer = try client.request(
      TigerBeetleOperation.createAccounts,
      TigerBeetleCoding.bytes(accounts.map(TigerBeetleCoding.encode)))
    return try statuses(answer, count: accounts.count, Self.accountStatuses)
  }

  public func create(transfers: [LedgerTransfer]) throws(LedgerError) -> [TransferStatus] {
    guard !transfers.isEmpty else { return [] }
    try check(transfers.count)
    var events: [bh_tb_transfer] = []
    for transfer in transfers { events.append(try TigerBeetleCoding.encode(transfer)) }
    let answer = try client.request(
      TigerBeetleOperation.createTransfers, TigerBeetleCoding.bytes(events))
    return try statuses(answer, count: transfers.count, Self.transferStatuses)
  }

  public func lookup(accounts ids: [UInt128]) throws(LedgerError) -> [LedgerAccount] {
    guard !ids.isEmpty else { return [] }
    try check(ids.count)
    let answer = try client.request(
      TigerBeetleOperation.lookupAccounts,
      TigerBeetleCoding.bytes(ids.map(TigerBeetleCoding.wide)))
    var found: [LedgerAccount] = []
    for stored in try TigerBeetleCoding.values(answer, of: bh_tb_account.self) {
      found.append(try TigerBeetleCoding.decode(stored))
    }
    return found
  }

  public func lookup(transfers ids: [UInt128]) throws(LedgerError) -> [LedgerTransfer] {
    guard !ids.isEmpty else { return [] }
    try check(ids.count)
    let answer = try client.request(
      TigerBeetleOperation.lookupTransfers,
      TigerBeetleCoding.bytes(ids.map(TigerBeetleCoding.wide)))
    return try TigerBeetleCoding.values(answer, of: bh_tb_transfer.self)
      .map(TigerBeetleCoding.decode)
  }

  public func transfers(of filter: LedgerFilter) throws(LedgerError) -> [LedgerTransfer] {
    guard filter.debits || filter.credits, filter.limit > 0 else { return [] }
    let answer = try client.request(
      TigerBeetleOperation.accountTransfers,
      TigerBeetleCoding.bytes([TigerBeetleCoding.encode(bounded(filter))]))
    return try TigerBeetleCoding.values(answer, of: bh_tb_transfer.self)
      .map(TigerBeetleCoding.decode)
  }

  public func balances(of filter: LedgerFilter) throws(LedgerError) -> [LedgerBalance] {
    guard filter.debits || filter.credits, filter.limit > 0 else { return [] }
    let answer = try client.request(
      TigerBeetleOperation.accountBalances,
      TigerBeetleCoding.bytes([TigerBeetleCoding.encode(bounded(filter))]))
    var found: [LedgerBalance] = []
    for stored in try TigerBeetleCoding.values(answer, of: bh_tb_balance.self) {
      found.append(
        LedgerBalance(
          timestamp: stored.timestamp,
          debitsPending: try TigerBeetleCoding.sum(stored.debits_pending),
          debitsPosted: try TigerBeetleCoding.sum(stored.debits_posted),
          creditsPending: try TigerBeetleCoding.sum(stored.credits_pending),
          creditsPosted: try TigerBeetleCoding.sum(stored.credits_posted)))
    }
    return found
  }

  private func bounded(_ filter: LedgerFilter) -> LedgerFilter {
    var filter = filter
    filter.limit = min(filter.limit, batchMax)
    return filter
  }

  private func check(_ count: Int) throws(LedgerError) {
    if count > batchMax { throw .batchTooLarge(events: count, max: batchMax) }
  }

  private static let accountStatuses: [UInt32: AccountStatus] = Dictionary(
    uniqueKeysWithValues: AccountStatus.allCases.map { ($0.number, $0) })
  private static let transferStatuses: [UInt32: TransferStatus] = Dictionary(
    uniqueKeysWithValues: TransferStatus.allCases.map { ($0.number, $0) })

  private func statuses<Status>(
    _ answer: [UInt8], count: Int, _ known: [UInt32: Status]
  ) throws(LedgerError) -> [Status] {
    let results = try TigerBeetleCoding.values(answer, of: bh_tb_result.self)
    guard results.count == count else {
      throw .unavailable(why: "TigerBeetle gave \(results.count) answers for \(count) events")
    }
    var found: [Status] = []
    for result in results {
      guard let status = known[result.status] else {
        throw .unavailable(why: "TigerBeetle answered the unknown status \(result.status)")
      }
      found.append(status)
    }
    return found
  }
}
