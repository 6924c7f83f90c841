// SPDX-License-Identifier: Apache-2.0

/// The limits of all apps and where each stands. Lives beside the disk, under its lock.
struct LimitEngine {
  struct Entry {
    var limit: AppLimit
    var subject: LimitSubject
    var revision: Int64
  }

  var entries: [LimitKey: Entry] = [:]
  var standings: [LimitKey: LimitStanding] = [:]
  /// Accounts that are known to exist and to hold their grant, by quota account and revision.
  var ready: [UInt128: Int64] = [:]
  /// Reservations to void with the next drain.
  var released: [Reservation] = []
  var leases: [ObjectIdentifier: (lease: QuotaLease, held: Reservation?)] = [:]
  var reservationNumber: Int64 = 0

  /// Limits that a line, or a request for room, falls under.
  func entries(app: String, subject: String) -> [Entry] {
    entries.values.filter { $0.limit.app == app && $0.limit.subject == subject }
      .sorted { $0.limit.period.rawValue < $1.limit.period.rawValue }
  }

  /// What each limit has to drain for these lines: limit, period, tick, quantity.
  struct Use {
    var key: LimitKey
    var accounts: LimitAccounts
    var sequence: Int64
    var amount: Int64
  }

  func uses(of lines: [(sequence: Int64, line: MeterLine)], ids: LedgerIDs) -> [Use] {
    guard !entries.isEmpty else { return [] }
    var uses: [String: Use] = [:]
    let byApp = Dictionary(grouping: entries, by: \.key.app)
    for (sequence, line) in lines {
      for (key, entry) in byApp[line.app] ?? [] where entry.subject.covers(line) {
        let start = key.period.start(of: line.start)
        let name = "\(key.subject) \(key.period) \(start.microseconds) \(sequence) \(key.app)"
        if uses[name] == nil {
          let accounts = LimitAccounts(entry.limit, entry.subject, at: line.start, ids: ids)
          uses[name] = Use(key: key, accounts: accounts, sequence: sequence, amount: 0)
        }
        uses[name]?.amount += line.quantity
      }
    }
    return uses.sorted { $0.key < $1.key }.map(\.value)
  }

  /// The standing that balances of a limit's accounts show.
  static func standing(
    _ accounts: LimitAccounts, quota: LedgerAccount?, used: LedgerAccount?,
    writtenOff: LedgerAccount?
  ) -> LimitStanding {
    let total = (used?.creditsPosted ?? 0) + (writtenOff?.creditsPosted ?? 0)
    return LimitStanding(
      limit: accounts.limit, unit: accounts.subject.unit, periodStart: accounts.start,
      resetsAt: accounts.limit.period.end(of: accounts.start), used: total,
      reserved: quota?.debitsPending ?? 0, state: .decide(accounts.limit, used: total))
  }

  /// Takes a new standing; the event of a change, if it is one.
  mutating func update(_ key: LimitKey, _ standing: LimitStanding, at time: WallTime) -> MeterEvent?
  {
    let before = standings[key]?.state ?? .clear
    standings[key] = standing
    guard before != standing.state else { return nil }
    let limit = standing.limit
    let words =
      "\(limit.subject) per \(limit.period.rawValue): \(standing.used) of \(limit.amount) "
      + "\(standing.unit.rawValue) used; begins again at \(standing.resetsAt.rfc3339)"
    return MeterEvent(at: time, kind: standing.state.event, app: limit.app, detail: words)
  }
}
