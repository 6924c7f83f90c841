// SPDX-License-Identifier: Apache-2.0
import Meter
import SQLite
import Testing

@Suite("Limits and budgets")
struct LimitTests {
  private let time = ManualClock("2026-03-09T10:20:00Z")
  private let directory: TemporaryDirectory
  private let book: MeterBook
  private let ledger: SQLiteLedger

  init() throws {
    directory = try TemporaryDirectory()
    ledger = try SQLiteLedger(directory: directory.path, clock: time.clock)
    book = try MeterBook(directory: directory.path, clock: time.clock, ledger: ledger)
  }

  private func limit(
    _ amount: Int64, _ action: LimitAction = .stop, subject: String = "requests",
    period: LimitPeriod = .hour, warn: Int = 80
  ) -> AppLimit {
    AppLimit(
      app: "a", subject: subject, period: period, amount: amount, action: action, warnPercent: warn)
  }

  private func use(_ amount: Int64) throws -> [MeterEvent.Kind] {
    try book.registry.counter(Meters.requests, app: "a", label: "2xx").add(amount)
    time.advance(seconds: 5)
    return try book.tick().events.map(\.kind)
  }

  @Test("the rule: clear, warned, then what the limit says")
  func rule() {
    #expect(LimitState.decide(limit(100), used: 79) == .clear)
    #expect(LimitState.decide(limit(100), used: 80) == .warned)
    #expect(LimitState.decide(limit(100), used: 100) == .stopped)
    #expect(LimitState.decide(limit(100, .throttle), used: 101) == .throttled)
    #expect(LimitState.decide(limit(100, .warn), used: 1_000) == .warned)
    #expect(LimitState.decide(limit(0), used: 0) == .stopped)
    #expect(LimitState.decide(limit(.max, warn: 100), used: .max - 1) == .clear)
  }

  @Test("an app is warned, stopped, and free again when its period ends; each is one event")
  func course() throws {
    try book.setLimit(limit(100))
    #expect(book.decision(app: "a").state == .clear)
    #expect(try use(79) == [])
    #expect(try use(1) == [.limitWarned])
    #expect(try use(10) == [])
    #expect(try use(15) == [.limitStopped])
    let (state, because) = book.decision(app: "a")
    #expect(state == .stopped)
    #expect(because?.used == 105)
    #expect(because?.remaining == 0)
    #expect(because?.resetsAt.rfc3339 == "2026-03-09T11:00:00Z")
    time.advance(seconds: 3_600)
    _ = try use(0)
    #expect(book.decision(app: "a").state == .clear)
    #expect(book.standings(app: "a").first?.used == 0)
  }

  @Test("what was used in the period before a limit is set counts")
  func before() throws {
    _ = try use(60)
    time.advance(seconds: 120)
    _ = try use(0)
    try book.setLimit(limit(100, period: .month))
    #expect(book.standings(app: "a").first?.used == 60)
    _ = try use(45)
    #expect(book.decision(app: "a").state == .stopped)
    #expect(book.standings(app: "a").first?.used == 105)
  }

  @Test("a limit can be raised, lowered and lifted in the middle of its period")
  func changes() throws {
    try book.setLimit(limit(100))
    _ = try use(100)
    #expect(book.decision(app: "a").state == .stopped)
    try book.setLimit(limit(200))
    #expect(book.decision(app: "a").state == .clear)
    _ = try use(50)
    #expect(book.standings(app: "a").first?.remaining == 50)
    try book.setLimit(limit(120))
    #expect(book.decision(app: "a").state == .stopped)
    try book.setLimit(limit(200))
    #expect(book.standings(app: "a").first?.remaining == 50)
    #expect(try book.removeLimit(app: "a", subject: "requests", period: .hour))
    #expect(book.decision(app: "a").state == .clear)
    #expect(try book.limits().isEmpty)
  }

  @Test("concurrent reservations never exceed the quota; releasing gives back what was not used")
  func reservations() async throws {
    try book.setLimit(limit(100))
    let book = self.book
    let granted = try await withThrowingTaskGroup(of: Reservation?.self) { group in
      for _ in 0..<30 {
        group.addTask {
          if case .granted(let held) = try book.reserve(app: "a", subject: "requests", amount: 7) {
            return held
          }
          return nil
        }
      }
      var all: [Reservation] = []
      for try await held in group { if let held { all.append(held) } }
      return all
    }
    #expect(granted.count == 14)
    // Three units each were really used.
    for held in granted { book.release(held) }
    _ = try use(42)
    let standing = try #require(book.standings(app: "a").first)
    #expect(standing.used == 42)
    #expect(standing.reserved == 0)
    #expect(standing.remaining == 58)
    guard case .refused(let why) = try book.reserve(app: "a", subject: "requests", amount: 59)
    else {
      Issue.record("more was granted than is left")
      return
    }
    #expect(why.remaining == 58)
  }

  @Test("a reservation of a host that died comes back when its lease ends")
  func deadHost() throws {
    try book.setLimit(limit(100))
    guard case .granted = try book.reserve(app: "a", subject: "requests", amount: 90, lease: 30)
    else {
      Issue.record("refused")
      return
    }
    guard case .refused = try book.reserve(app: "a", subject: "requests", amount: 20) else {
      Issue.record("granted twice")
      return
    }
    time.advance(seconds: 31)
    guard case .granted = try book.reserve(app: "a", subject: "requests", amount: 20) else {
      Issue.record("still held")
      return
    }
  }

  @Test("a lease lets through what the quota holds and not one more")
  func lease() throws {
    try book.setLimit(limit(100))
    let lease = book.lease(app: "a", subject: "requests", chunk: 30)
    #expect(!lease.take())  // room comes with the first tick
    var passed: Int64 = 0
    for _ in 0..<10 {
      var now: Int64 = 0
      while lease.take() { now += 1 }
      #expect(now <= 30)
      passed += now
      _ = try use(now)
    }
    #expect(passed == 100)
    #expect(book.standings(app: "a").first?.used == 100)
    let free = book.lease(app: "b", subject: "requests", chunk: 1)
    #expect((0..<1_000).allSatisfy { _ in free.take() })
  }

  @Test("a budget in money stops an app when its charges reach it")
  func budget() throws {
    try book.setPrices(
      PriceBookSource(
        currency: "EUR",
        version: [
          .init(
            number: 1, from: "2026-03-01",
            price: [.init(sku: "req", meters: ["requests"], unit: "each", price: "0.01")])
        ]))
    try book.setLimit(limit(1_000_000, subject: "money.EUR", period: .month))
    #expect(try use(80) == [.limitWarned])
    #expect(try use(20) == [.limitStopped])
    #expect(book.decision(app: "a").because?.limit.subject == "money.EUR")
  }

  @Test("every limit an app has is kept, and the strongest decides")
  func several() throws {
    try book.setLimit(limit(1_000, .warn, period: .month))
    try book.setLimit(limit(50, .throttle, period: .day))
    try book.setLimit(limit(20, .stop, period: .hour))
    _ = try use(30)
    #expect(book.decision(app: "a").state == .stopped)
    time.advance(seconds: 3_600)
    _ = try use(0)
    _ = try use(25)
    #expect(book.standings(app: "a").map(\.used) == [55, 25, 55])
    #expect(book.standings(app: "a").map(\.state) == [.throttled, .stopped, .clear])
  }

  @Test("limits and what was used of them survive a restart of the host")
  func restart() throws {
    try book.setLimit(limit(100))
    _ = try use(90)
    try book.close()
    let again = try MeterBook(directory: directory.path, clock: time.clock)
    try again.tick()
    #expect(again.standings(app: "a").first?.used == 90)
    #expect(again.decision(app: "a").state == .warned)
  }

  @Test("what cannot be limited is refused by name")
  func refused() {
    for wrong in [
      limit(1, subject: "storage.held"), limit(1, subject: "storage.x"),
      limit(1, subject: "memory.peak"), limit(1, subject: "money.EURO"), limit(-1),
      limit(1, warn: 0),
    ] {
      #expect(throws: MeterError.self) { try book.setLimit(wrong) }
    }
  }

  @Test("the ledger's sums are the meter's sums, whatever was repeated after a crash")
  func ledgerAgrees() throws {
    var configuration = MeterBook.Configuration()
    configuration.postingInterval = .seconds(10)
    let other = try TemporaryDirectory()
    let second = try SQLiteLedger(directory: other.path, clock: time.clock)
    var total: Int64 = 0
    for run in 1...6 {
      let book = try MeterBook(
        directory: other.path, configuration: configuration, clock: time.clock, ledger: second)
      if run == 1 { try book.setLimit(limit(200)) }
      for step in 1...5 {
        try book.registry.counter(Meters.requests, app: "a", label: "2xx").add(Int64(step))
        total += Int64(step)
        time.advance(seconds: 5)
        try book.tick()
      }
      // Dropped without closing: what the last tick told the ledger is told again.
    }
    let book = try MeterBook(
      directory: other.path, configuration: configuration, clock: time.clock, ledger: second)
    try book.close()
    #expect(try book.usage(app: "a").total(Meters.requests) == total)
    #expect(try book.ledgerTotal(app: "a", ledger: LedgerNumber.requests) == total)
    #expect(book.standings(app: "a").first?.used == total)
  }

  @Test("a ledger that is out of reach costs no measurement, and is caught up with later")
  func unreachable() throws {
    final class Flaky: Ledger {
      let inner: SQLiteLedger
      var isDown = false
      var batchMax: Int { inner.batchMax }
      init(_ inner: SQLiteLedger) { self.inner = inner }
      private func check() throws(LedgerError) { if isDown { throw .timedOut(seconds: 5) } }
      func create(accounts: [LedgerAccount]) throws(LedgerError) -> [AccountStatus] {
        try check()
        return try inner.create(accounts: accounts)
      }
      func create(transfers: [LedgerTransfer]) throws(LedgerError) -> [TransferStatus] {
        // It takes effect, but the answer is lost: the worst case.
        let statuses = try inner.create(transfers: transfers)
        try check()
        return statuses
      }
      func lookup(accounts ids: [UInt128]) throws(LedgerError) -> [LedgerAccount] {
        try check()
        return try inner.lookup(accounts: ids)
      }
      func lookup(transfers ids: [UInt128]) throws(LedgerError) -> [LedgerTransfer] {
        try check()
        return try inner.lookup(transfers: ids)
      }
      func transfers(of filter: LedgerFilter) throws(LedgerError) -> [LedgerTransfer] { [] }
      func balances(of filter: LedgerFilter) throws(LedgerError) -> [LedgerBalance] { [] }
    }
    let other = try TemporaryDirectory()
    let flaky = Flaky(try SQLiteLedger(directory: other.path, clock: time.clock))
    let book = try MeterBook(directory: other.path, clock: time.clock, ledger: flaky)
    try book.setLimit(limit(1_000))
    var kinds: [MeterEvent.Kind] = []
    for step in 0..<12 {
      flaky.isDown = (4..<8).contains(step)
      try book.registry.counter(Meters.requests, app: "a", label: "2xx").add(10)
      time.advance(seconds: 30)
      kinds += try book.tick().events.map(\.kind)
    }
    #expect(kinds == [.ledgerBehind, .ledgerBehind])
    #expect(book.standings(app: "a").first?.used == 120)
    try book.close()
    #expect(try book.ledgerTotal(app: "a", ledger: LedgerNumber.requests) == 120)
    #expect(try book.usage(app: "a").total(Meters.requests) == 120)
  }

  @Test("the embedded ledger forgets old transfers, and neither balances nor reservations")
  func pruning() throws {
    try book.setLimit(limit(1_000_000, period: .month))
    for _ in 0..<6 {
      _ = try use(10)
      time.advance(seconds: 2 * 86_400)
    }
    guard
      case .granted(let held) = try book.reserve(
        app: "a", subject: "requests", amount: 50, lease: 30 * 86_400)
    else {
      Issue.record("refused")
      return
    }
    time.advance(seconds: 10 * 86_400)
    _ = try use(10)
    let file = try SQLiteConnection(path: directory.path + "/ledger.sqlite")
    let kept = try file.run("SELECT count(*), sum(state = 1) FROM transfer").first
    #expect((kept?[0].int ?? 0) < 6)
    #expect(kept?[1].int == 1)
    #expect(book.standings(app: "a").first?.used == 70)
    #expect(book.standings(app: "a").first?.reserved == 50)
    book.release(held)
    _ = try use(0)
    #expect(book.standings(app: "a").first?.reserved == 0)
  }
}
