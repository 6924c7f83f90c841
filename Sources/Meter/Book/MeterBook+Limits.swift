// SPDX-License-Identifier: Apache-2.0
import SQLite
import Synchronization

extension MeterBook {
  // MARK: - Without I/O

  /// Where an app stands with its limits, as of the last tick. No I/O: ask before every start and as
  /// often as needed.
  public func standings(app: String) -> [LimitStanding] {
    memory.withLock { memory in
      memory.standings.values.filter { $0.limit.app == app }.sorted {
        ($0.limit.subject, $0.limit.period.rawValue) < ($1.limit.subject, $1.limit.period.rawValue)
      }
    }
  }

  /// Apps that have a limit, as of the last tick. No I/O.
  public var limitedApps: Set<String> {
    memory.withLock { memory in Set(memory.standings.keys.map(\.app)) }
  }

  /// What follows for an app from all its limits: the strongest, and the one it comes from.
  public func decision(app: String) -> (state: LimitState, because: LimitStanding?) {
    let strongest = standings(app: app).max { $0.state < $1.state }
    return (strongest?.state ?? .clear, strongest?.state == .clear ? nil : strongest)
  }

  // MARK: - Blocking

  /// All limits, or one app's. Blocks.
  public func limits(app: String? = nil) throws(MeterError) -> [AppLimit] {
    disk.withLock { disk in
      disk.desk.limits.entries.values.map(\.limit)
        .filter { app == nil || $0.app == app }
        .sorted {
          ($0.app, $0.subject, $0.period.rawValue) < ($1.app, $1.subject, $1.period.rawValue)
        }
    }
  }

  /// Sets a limit, in place of one with the same app, subject and period. What was used in the
  /// period before counts. Blocks.
  /// - Throws: `invalid`, `unknownMeter`, `ledger`, or what the disk says.
  public func setLimit(_ limit: AppLimit) throws(MeterError) {
    guard limit.amount >= 0 else {
      throw .invalid(what: "limit \(limit.subject)", why: "the amount is negative")
    }
    guard (1...100).contains(limit.warnPercent) else {
      throw .invalid(what: "limit \(limit.subject)", why: "a warning is given at 1 to 100 percent")
    }
    let definitions = try knownDefinitions()
    let subject = try LimitSubject(limit.subject, definitions: definitions)
    let time = clock.wall()
    try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      let revision = disk.sequence &* 1_000 &+ Int64(disk.desk.limits.entries.count) &+ 1
      let old = disk.desk.limits.entries[limit.key]
      let entry = LimitEngine.Entry(
        limit: limit, subject: subject, revision: max(revision, (old?.revision ?? 0) + 1))
      let before = try usedInPeriod(disk, limit, subject, at: time)
      let words = "\(limit.subject) per \(limit.period.rawValue): \(limit.amount)"
      let change = MeterEvent(
        at: time, kind: .limitChanged, app: limit.app,
        detail: "\(words) \(subject.unit.rawValue), then \(limit.action.rawValue)")
      try store.transaction { () throws(SQLiteError) in
        try store.save(limit, revision: entry.revision)
        try store.append([change])
      }
      let events: [MeterEvent]
      do throws(LedgerError) {
        events = try disk.desk.openLimit(entry, usedBefore: before, at: time)
      } catch {
        throw .ledger(error)
      }
      try store.transaction { () throws(SQLiteError) in try store.append(events) }
      let standings = disk.desk.limits.standings
      memory.withLock { $0.standings = standings }
    }
  }

  /// Lifts a limit. False if there was none. Blocks.
  @discardableResult
  public func removeLimit(app: String, subject: String, period: LimitPeriod) throws(MeterError)
    -> Bool
  {
    let key = LimitKey(app: app, subject: subject, period: period)
    let event = MeterEvent(
      at: clock.wall(), kind: .limitChanged, app: app,
      detail: "\(subject) per \(period.rawValue): no limit")
    return try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      let removed = try store.transaction { () throws(SQLiteError) in
        let removed = try store.remove(key)
        if removed { try store.append([event]) }
        return removed
      }
      disk.desk.limits.entries[key] = nil
      disk.desk.limits.standings[key] = nil
      let standings = disk.desk.limits.standings
      memory.withLock { $0.standings = standings }
      return removed
    }
  }

  /// Holds room under every limit on `subject` before work begins. Blocks on the ledger.
  /// - Parameters:
  ///   - amount: the most the work may use, in the meter's unit.
  ///   - seconds: after which the room returns by itself if nobody releases it.
  public func reserve(
    app: String, subject: String, amount: Int64, lease seconds: UInt32 = 60
  ) throws(MeterError) -> ReservationAnswer {
    guard amount >= 0 else { throw .invalid(what: "reservation", why: "the amount is negative") }
    let time = clock.wall()
    return try disk.withLock { disk throws(MeterError) in
      do throws(LedgerError) {
        return try disk.desk.reserve(
          app: app, subject: subject, amount: amount, lease: seconds, at: time)
      } catch {
        throw .ledger(error)
      }
    }
  }

  /// Lets go of reserved room, once what was used of it is added to its counter. Takes effect with
  /// the next tick, in the batch that drains the use. Blocks shortly, no I/O.
  public func release(_ reservation: Reservation) {
    disk.withLock { $0.desk.limits.released.append(reservation) }
  }

  /// Room for many small pieces of work, topped up by each tick. Without a limit on `subject` it
  /// always grants. Blocks shortly, no I/O; room is there after the next tick.
  public func lease(app: String, subject: String, chunk: Int64) -> QuotaLease {
    disk.withLock { disk in
      let isLimited = !disk.desk.limits.entries(app: app, subject: subject).isEmpty
      let lease = QuotaLease(app: app, subject: subject, chunk: chunk, unlimited: !isLimited)
      disk.desk.limits.leases[ObjectIdentifier(lease)] = (lease, nil)
      return lease
    }
  }

  /// Ends a lease; its room returns with the next tick.
  public func end(_ lease: QuotaLease) {
    disk.withLock { disk in
      let ended = disk.desk.limits.leases.removeValue(forKey: ObjectIdentifier(lease))
      if let held = ended?.held { disk.desk.limits.released.append(held) }
    }
  }

  /// What fell under a new limit in its period before it was set.
  private func usedInPeriod(
    _ disk: Disk, _ limit: AppLimit, _ subject: LimitSubject, at time: WallTime
  ) throws(MeterError) -> Int64 {
    let store = disk.store
    let marks = try store.attempt { () throws(SQLiteError) in try store.rollupMarks() }
    let plan = QueryPlan(
      since: limit.period.start(of: time), until: limit.period.end(of: time), rows: nil,
      marks: marks)
    let totals = try store.totals(
      plan, rows: nil,
      where: { key in
        key.app == limit.app
          && subject.covers(MeterLine(key, quantity: 0, start: time, end: time))
      }, isPeak: { _ in false })
    return totals.reduce(0) { $0 + $1.quantity }
  }
}

extension MeterBook {
  /// What the ledger says an app ever used of one ledger: an independent check on the lines, up to
  /// the last posting. Blocks on the ledger.
  public func ledgerTotal(app: String, ledger: UInt32) throws(MeterError) -> Int64 {
    try disk.withLock { disk throws(MeterError) in
      do throws(LedgerError) {
        let account = disk.desk.usedAccount(app: app, ledger: ledger)
        return try disk.desk.ledger.lookup(accounts: [account.id]).first?.creditsPosted ?? 0
      } catch {
        throw .ledger(error)
      }
    }
  }
}
