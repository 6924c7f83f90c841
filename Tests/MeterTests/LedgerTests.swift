// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter
import SQLite
import Testing

@Suite("Ledger rules outside the recorded answers")
struct LedgerTests {
  private let time = ManualClock()
  private let directory: TemporaryDirectory
  private let ledger: SQLiteLedger
  private let supply: UInt128 = 1
  private let quota: UInt128 = 2
  private let used: UInt128 = 3

  init() throws {
    directory = try TemporaryDirectory()
    ledger = try SQLiteLedger(directory: directory.path, clock: time.clock)
    let statuses = try ledger.create(accounts: [
      LedgerAccount(id: supply, ledger: 10, code: 1),
      LedgerAccount(id: quota, ledger: 10, code: 2, flags: .debitsMustNotExceedCredits),
      LedgerAccount(id: used, ledger: 10, code: 3, flags: .history),
    ])
    #expect(statuses == [.created, .created, .created])
  }

  private func transfer(
    _ id: UInt128, from debit: UInt128, to credit: UInt128, _ amount: UInt128,
    _ flags: LedgerTransfer.Flags = [], pending: UInt128 = 0, timeout: UInt32 = 0
  ) -> LedgerTransfer {
    let isSettling = !flags.isDisjoint(with: [.postPending, .voidPending])
    return LedgerTransfer(
      id: id, debitAccountID: debit, creditAccountID: credit, amount: amount,
      ledger: isSettling ? 0 : 10, code: isSettling ? 0 : 22, flags: flags, pendingID: pending,
      timeout: timeout)
  }

  private func create(_ transfers: LedgerTransfer...) throws -> [TransferStatus] {
    try ledger.create(transfers: transfers)
  }

  private func account(_ id: UInt128) throws -> LedgerAccount {
    try #require(try ledger.lookup(accounts: [id]).first)
  }

  @Test("a reservation that times out gives back what it held, writes no transfer and no history")
  func expiry() throws {
    #expect(try create(transfer(10, from: supply, to: quota, 100)) == [.created])
    #expect(try create(transfer(11, from: quota, to: used, 80, .pending, timeout: 5)) == [.created])
    #expect(try create(transfer(12, from: quota, to: used, 30)) == [.exceedsCredits])
    let history = try ledger.balances(of: LedgerFilter(accountID: used)).count
    time.advance(milliseconds: 4_999)
    #expect(try account(quota).debitsPending == 80)
    time.advance(milliseconds: 2)
    #expect(try account(quota).debitsPending == 0)
    #expect(try account(used).creditsPending == 0)
    #expect(try ledger.balances(of: LedgerFilter(accountID: used)).count == history)
    #expect(try ledger.transfers(of: LedgerFilter(accountID: used)).map(\.id) == [11])
    #expect(
      try create(transfer(13, from: 0, to: 0, 80, .postPending, pending: 11))
        == [.pendingTransferExpired])
    // Not transient: the id is not burnt, and the answer stays.
    #expect(
      try create(transfer(13, from: 0, to: 0, 80, .postPending, pending: 11))
        == [.pendingTransferExpired])
    #expect(try create(transfer(14, from: quota, to: used, 30)) == [.created])
  }

  @Test("a reservation settled in time does not expire, and the rest returns by itself")
  func settled() throws {
    _ = try create(transfer(10, from: supply, to: quota, 100))
    _ = try create(transfer(11, from: quota, to: used, 80, .pending, timeout: 5))
    #expect(try create(transfer(12, from: 0, to: 0, 25, .postPending, pending: 11)) == [.created])
    time.advance(seconds: 60)
    #expect(try account(quota).debitsPosted == 25)
    #expect(try account(quota).debitsPending == 0)
    #expect(try account(quota).debitRoom == 75)
    #expect(
      try create(transfer(13, from: 0, to: 0, 0, .voidPending, pending: 11))
        == [.pendingTransferAlreadyPosted])
  }

  @Test("a closed account lets nothing through until the closing transfer is voided or expires")
  func closing() throws {
    _ = try create(transfer(10, from: supply, to: quota, 100))
    #expect(
      try create(transfer(11, from: quota, to: used, 0, [.pending, .closingDebit])) == [.created])
    #expect(try account(quota).flags.contains(.closed))
    #expect(try create(transfer(12, from: quota, to: used, 1)) == [.debitAccountAlreadyClosed])
    #expect(try create(transfer(13, from: supply, to: quota, 1)) == [.creditAccountAlreadyClosed])
    #expect(try create(transfer(12, from: quota, to: used, 1)) == [.idAlreadyFailed])
    #expect(
      try create(transfer(14, from: 0, to: 0, 0, .postPending, pending: 11))
        == [.debitAccountAlreadyClosed])
    #expect(try create(transfer(15, from: 0, to: 0, 0, .voidPending, pending: 11)) == [.created])
    #expect(try create(transfer(16, from: quota, to: used, 1)) == [.created])
    #expect(
      try create(transfer(17, from: quota, to: used, 0, [.pending, .closingDebit], timeout: 1))
        == [.created])
    time.advance(seconds: 2)
    #expect(try create(transfer(18, from: quota, to: used, 1)) == [.created])
    #expect(
      try create(transfer(19, from: quota, to: used, 0, .closingDebit))
        == [.closingTransferMustBePending])
  }

  @Test("sums stop short of 2^63, by name")
  func overflow() throws {
    let most = UInt128(Int64.max)
    #expect(try create(transfer(10, from: supply, to: used, most)) == [.created])
    #expect(try create(transfer(11, from: supply, to: used, 1)) == [.overflowsDebitsPosted])
    #expect(try create(transfer(12, from: used, to: supply, most + 1)) == [.overflowsDebitsPosted])
    #expect(
      try create(transfer(13, from: used, to: quota, LedgerTransfer.amountMax))
        == [.overflowsDebitsPosted])
    #expect(try create(transfer(14, from: used, to: supply, most - 5, .pending)) == [.created])
    #expect(try create(transfer(15, from: used, to: quota, 6)) == [.overflowsDebits])
    #expect(try account(supply).debitsPosted == Int64.max)
  }

  @Test("a chain is made once, however often it is submitted")
  func ensureChain() throws {
    let chain = [
      transfer(10, from: supply, to: quota, 40), transfer(11, from: supply, to: used, 2),
    ]
    #expect(try ledger.ensure(chain: chain) == .created)
    #expect(try ledger.ensure(chain: chain) == .existed)
    #expect(try account(supply).debitsPosted == 42)
    let poor = [
      transfer(12, from: supply, to: used, 1), transfer(13, from: quota, to: used, 41),
    ]
    #expect(try ledger.ensure(chain: poor) == .refused([.linkedEventFailed, .exceedsCredits]))
    #expect(try ledger.ensure(chain: poor) == .refused([.linkedEventFailed, .idAlreadyFailed]))
    #expect(try account(supply).debitsPosted == 42)
    let mixed = [
      transfer(10, from: supply, to: quota, 40), transfer(99, from: supply, to: used, 2),
    ]
    #expect(try ledger.ensure(chain: mixed) == .refused([.exists, .linkedEventFailed]))
  }

  @Test("timestamps go forward although the clock goes back, also over a restart")
  func timestamps() throws {
    _ = try create(transfer(10, from: supply, to: used, 1))
    time.jump(seconds: -86_400)
    _ = try create(transfer(11, from: supply, to: used, 1), transfer(12, from: supply, to: used, 1))
    let again = try SQLiteLedger(directory: directory.path, clock: time.clock)
    _ = try again.create(transfers: [transfer(13, from: supply, to: used, 1)])
    let stamps = try again.lookup(transfers: [10, 11, 12, 13]).map(\.timestamp)
    #expect(stamps.count == 4)
    #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test("history is kept per transfer for accounts that ask for it, and pages by time")
  func history() throws {
    for number in 1...10 {
      time.advance(seconds: 1)
      _ = try create(transfer(UInt128(100 + number), from: supply, to: used, UInt128(number)))
    }
    var filter = LedgerFilter(accountID: used, limit: 4)
    let first = try ledger.balances(of: filter)
    #expect(first.map(\.creditsPosted) == [1, 3, 6, 10])
    filter.timestampMin = (first.last?.timestamp ?? 0) + 1
    #expect(try ledger.balances(of: filter).map(\.creditsPosted) == [15, 21, 28, 36])
    filter = LedgerFilter(accountID: used, limit: 2)
    filter.newestFirst = true
    #expect(try ledger.transfers(of: filter).map(\.id) == [110, 109])
    filter.credits = false
    #expect(try ledger.transfers(of: filter).isEmpty)
    #expect(try ledger.balances(of: LedgerFilter(accountID: supply)).isEmpty)
  }

  @Test("a batch over the maximum is an error before anything happens")
  func tooLarge() throws {
    let events = (0...ledger.batchMax).map {
      transfer(UInt128($0 + 100), from: supply, to: used, 1)
    }
    #expect(throws: LedgerError.batchTooLarge(events: 8_190, max: 8_189)) {
      try ledger.create(transfers: events)
    }
    #expect(try account(supply).debitsPosted == 0)
  }

  @Test("a file of a newer version is refused by name and left as it was")
  func newer() throws {
    let path = directory.path + "/ledger.sqlite"
    try SQLiteConnection(path: path).run("PRAGMA user_version = 7")
    #expect(throws: MeterError.newerFile(file: "ledger.sqlite", version: 7, supported: 1)) {
      try SQLiteLedger(directory: directory.path)
    }
  }

  @Test("whatever is submitted, debits equal credits and no limit is broken", arguments: 1...5)
  func invariants(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      var batch: [LedgerTransfer] = []
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        let ids: [UInt128] = [supply, quota, used]
        var event = transfer(
          UInt128.random(in: 10...400, using: &random), from: ids.randomElement(using: &random)!,
          to: ids.randomElement(using: &random)!, UInt128.random(in: 0...50, using: &random))
        event.flags = .init(rawValue: UInt16.random(in: 0...255, using: &random))
        if !event.flags.isDisjoint(with: [.postPending, .voidPending]) {
          (event.pendingID, event.ledger, event.code) = (
            .random(in: 10...400, using: &random), 0, 0
          )
          (event.debitAccountID, event.creditAccountID) = (0, 0)
        } else if event.flags.contains(.pending) {
          event.timeout = UInt32.random(in: 0...3, using: &random)
        }
        batch.append(event)
      }
      _ = try ledger.create(transfers: batch)
      time.advance(milliseconds: Int64.random(in: 0...2_000, using: &random))
      let accounts = try ledger.lookup(accounts: [supply, quota, used])
      let sum = { (side: (LedgerAccount) -> Int64) in accounts.map(side).reduce(0, +) }
      #expect(sum(\.debitsPosted) == sum(\.creditsPosted), "seed \(seed)")
      #expect(sum(\.debitsPending) == sum(\.creditsPending), "seed \(seed)")
      #expect(accounts.allSatisfy { $0.debitsPending >= 0 && $0.creditsPending >= 0 })
      let limited = try account(quota)
      #expect(limited.debitsPosted + limited.debitsPending <= limited.creditsPosted)
    }
  }
}
