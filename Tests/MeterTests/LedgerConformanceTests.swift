// SPDX-License-Identifier: Apache-2.0
import Meter
import Testing

@Suite("The embedded ledger against recorded answers of TigerBeetle")
struct LedgerConformanceTests {
  @Test(
    "every batch is answered as recorded, and the balances agree", arguments: LedgerVectors.seeds)
  func vectors(seed: Int) throws {
    let directory = try TemporaryDirectory()
    let vectors = try LedgerVectors(seed: seed)
    let ledger = try SQLiteLedger(directory: directory.path, clock: ManualClock().clock)
    let wrong = try mismatches(of: ledger, with: vectors)
    #expect(wrong.isEmpty, "seed \(seed): \(wrong.prefix(5).joined(separator: "\n"))")
    let answers = vectors.steps.reduce(0) { count, step in
      if case .transfers(let transfers, _) = step { count + transfers.count } else { count }
    }
    #expect(answers > 1_000)
  }

  @Test("the answers do not depend on the file being closed and opened between batches")
  func reopened() throws {
    let directory = try TemporaryDirectory()
    let clock = ManualClock().clock
    var wrong: [String] = []
    for step in try LedgerVectors(seed: 1).steps {
      let ledger = try SQLiteLedger(directory: directory.path, clock: clock)
      switch step {
      case .accounts(let accounts, let statuses):
        let found = try ledger.create(accounts: accounts).map(\.rawValue)
        if found != statuses { wrong.append("\(found)") }
      case .transfers(let transfers, let statuses):
        let found = try ledger.create(transfers: transfers).map(\.rawValue)
        if found != statuses { wrong.append("\(found) instead of \(statuses)") }
      case .balances(let recorded):
        let found = try ledger.lookup(accounts: recorded.map(\.id))
        #expect(found.map(\.debitsPosted) == recorded.map(\.debitsPosted))
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(3))")
  }

  @Test("a ledger that checks in another order is found out by the vectors")
  func suiteCanFail() throws {
    /// Answers `exists` last, as a ledger with the naive order would.
    final class Naive: Ledger {
      let inner: SQLiteLedger
      var batchMax: Int { inner.batchMax }
      init(_ inner: SQLiteLedger) { self.inner = inner }
      func create(accounts: [LedgerAccount]) throws(LedgerError) -> [AccountStatus] {
        try inner.create(accounts: accounts)
      }
      func create(transfers: [LedgerTransfer]) throws(LedgerError) -> [TransferStatus] {
        try inner.create(transfers: transfers).map { $0 == .idAlreadyFailed ? .exceedsCredits : $0 }
      }
      func lookup(accounts ids: [UInt128]) throws(LedgerError) -> [LedgerAccount] {
        try inner.lookup(accounts: ids)
      }
      func lookup(transfers ids: [UInt128]) throws(LedgerError) -> [LedgerTransfer] { [] }
      func transfers(of filter: LedgerFilter) throws(LedgerError) -> [LedgerTransfer] { [] }
      func balances(of filter: LedgerFilter) throws(LedgerError) -> [LedgerBalance] { [] }
    }
    let directory = try TemporaryDirectory()
    let ledger = Naive(try SQLiteLedger(directory: directory.path, clock: ManualClock().clock))
    #expect(try !mismatches(of: ledger, with: LedgerVectors(seed: 1)).isEmpty)
  }
}
