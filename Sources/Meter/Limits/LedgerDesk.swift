// SPDX-License-Identifier: Apache-2.0

/// Posts what was measured to the ledger and reads limits back from it. Blocking; lives beside the
/// disk, under its lock.
struct LedgerDesk {
  let ledger: any Ledger
  let ids: LedgerIDs
  var limits = LimitEngine()
  /// Accounts of everyday posting that exist.
  private var known: Set<UInt128> = []

  init(ledger: any Ledger, ids: LedgerIDs) {
    self.ledger = ledger
    self.ids = ids
  }

  // MARK: - What was used

  /// Posts sums of lines: supply → used, one transfer for each app, ledger and price version. The
  /// same `batch` number makes the same ids, so a repeat after a crash changes nothing.
  /// - Returns: refusals, by name; an amount past 2^63 is one.
  mutating func post(
    _ lines: [(sequence: Int64, line: MeterLine)], batch: Int64,
    definitions: [String: MeterDefinition]
  ) throws(LedgerError) -> [String] {
    struct Group: Hashable {
      var app: String
      var ledger: UInt32
      var version: UInt32
    }
    var sums: [Group: (amount: Int64, start: WallTime)] = [:]
    for (_, line) in lines {
      var group = Group(app: line.app, ledger: 0, version: 0)
      if let cited = Pricing.citation(line.destination ?? ""),
        Pricing.sku(ofMeter: line.meter) != nil, let number = ISO4217.number(of: cited.currency)
      {
        group.ledger = LedgerNumber.money(iso4217: number)
        group.version = cited.version
      } else if let ledger = definitions[line.meter]?.ledger {
        group.ledger = ledger
      } else {
        continue
      }
      let old = sums[group] ?? (0, line.start)
      sums[group] = (old.amount + line.quantity, min(old.start, line.start))
    }
    var accounts: [LedgerAccount] = []
    var transfers: [LedgerTransfer] = []
    for (group, sum) in sums.sorted(by: {
      ($0.key.app, $0.key.ledger) < ($1.key.app, $1.key.ledger)
    }) {
      let isMoney = group.ledger > 1_000
      let supply = LedgerAccount(
        id: ids.account(
          ledger: group.ledger, code: isMoney ? LedgerCode.moneySupply : LedgerCode.supply,
          owner: []), ledger: group.ledger,
        code: isMoney ? LedgerCode.moneySupply : LedgerCode.supply)
      let used = usedAccount(app: group.app, ledger: group.ledger)
      for account in [supply, used] where known.insert(account.id).inserted {
        accounts.append(account)
      }
      transfers.append(
        LedgerTransfer(
          id: ids.transfer(
            at: sum.start,
            ["meter", group.app, "\(group.ledger)", "\(group.version)", "\(batch)"]),
          debitAccountID: supply.id, creditAccountID: used.id, amount: UInt128(sum.amount),
          ledger: group.ledger, code: isMoney ? LedgerCode.usageCharge : LedgerCode.meter,
          userData64: UInt64(max(0, sum.start.microseconds)) * 1_000, userData32: group.version))
    }
    do {
      try create(accounts)
    } catch {
      known = []
      throw error
    }
    return try create(transfers)
  }

  /// Where all an app ever used of one ledger adds up.
  func usedAccount(app: String, ledger: UInt32) -> LedgerAccount {
    let code = ledger > 1_000 ? LedgerCode.revenue : LedgerCode.used
    return LedgerAccount(
      id: ids.account(ledger: ledger, code: code, owner: [app]), ledger: ledger, code: code)
  }

  private func create(_ accounts: [LedgerAccount]) throws(LedgerError) {
    for start in stride(from: 0, to: accounts.count, by: ledger.batchMax) {
      let part = Array(accounts[start..<min(start + ledger.batchMax, accounts.count)])
      for (account, status) in zip(part, try ledger.create(accounts: part))
      where status != .created && status != .exists {
        throw .unavailable(why: "account \(account.id) answered \(status.rawValue)")
      }
    }
  }

  /// Submits transfers that may have been submitted before; names those refused for good.
  private func create(_ transfers: [LedgerTransfer]) throws(LedgerError) -> [String] {
    var refused: [String] = []
    for start in stride(from: 0, to: transfers.count, by: ledger.batchMax) {
      let part = Array(transfers[start..<min(start + ledger.batchMax, transfers.count)])
      for (transfer, status) in zip(part, try ledger.create(transfers: part)) {
        switch status {
        case .created, .exists, .pendingTransferExpired, .pendingTransferAlreadyVoided,
          .pendingTransferNotFound:
          continue
        default:
          refused.append(
            "ledger \(transfer.ledger), code \(transfer.code), amount \(transfer.amount): "
              + status.rawValue)
        }
      }
    }
    return refused
  }

  // MARK: - Limits

  /// Drains what the lines used from every limit they fall under, lets go of settled reservations,
  /// tops up leases, and gives the events of limits that changed their state.
  mutating func settle(
    _ lines: [(sequence: Int64, line: MeterLine)], at time: WallTime
  ) throws(LedgerError) -> (events: [MeterEvent], refused: [String]) {
    guard !limits.entries.isEmpty || !limits.released.isEmpty || !limits.leases.isEmpty else {
      return ([], [])
    }
    let uses = limits.uses(of: lines, ids: ids)
    var current: [LimitKey: LimitAccounts] = [:]
    for (key, entry) in limits.entries {
      current[key] = LimitAccounts(entry.limit, entry.subject, at: time, ids: ids)
    }
    try prepare(uses.map(\.accounts) + current.values)
    var batch = voids()
    batch += uses.map { use in
      use.accounts.transfer(
        drainID(use), from: use.accounts.quota, to: use.accounts.used, use.amount,
        code: LedgerCode.drain, flags: .balancingDebit)
    }
    var refused = try create(batch)
    limits.released = []
    for key in limits.leases.keys { limits.leases[key]?.held = nil }
    refused += try create(try shortfalls(uses))
    let events = try readStandings(current, at: time)
    try refillLeases(at: time)
    return (events, refused)
  }

  private func drainID(_ use: LimitEngine.Use) -> UInt128 {
    ids.transfer(
      at: use.accounts.start, ["drain", "\(use.accounts.quota)", "\(use.sequence)"])
  }

  /// What drains could not move, because the quota was empty, is written off.
  private func shortfalls(_ uses: [LimitEngine.Use]) throws(LedgerError) -> [LedgerTransfer] {
    var moved: [UInt128: Int64] = [:]
    for transfer in try lookup(transfers: uses.map(drainID)) {
      moved[transfer.id] = Int64(clamping: transfer.amount)
    }
    return uses.compactMap { use in
      let short = use.amount - (moved[drainID(use)] ?? 0)
      guard short > 0 else { return nil }
      let id = ids.transfer(
        at: use.accounts.start, ["shortfall", "\(use.accounts.quota)", "\(use.sequence)"])
      return use.accounts.transfer(
        id, from: use.accounts.supply, to: use.accounts.writtenOff, short, code: LedgerCode.meter)
    }
  }

  /// Makes accounts and grants that are not there yet.
  private mutating func prepare(_ all: some Sequence<LimitAccounts>) throws(LedgerError) {
    var missing: [UInt128: LimitAccounts] = [:]
    for accounts in all {
      let revision = limits.entries[accounts.limit.key]?.revision ?? 0
      if limits.ready[accounts.quota] != revision { missing[accounts.quota] = accounts }
    }
    guard !missing.isEmpty else { return }
    try create(missing.values.flatMap(\.accounts))
    let balances = try self.balances(missing.values.map { $0 })
    var grants: [LedgerTransfer] = []
    for accounts in missing.values {
      let quota = balances[accounts.quota]
      let drained = balances[accounts.used]?.creditsPosted ?? 0
      let released = (quota?.debitsPosted ?? 0) - drained
      let revision = limits.entries[accounts.limit.key]?.revision ?? 0
      let granted = (quota?.creditsPosted ?? 0) - released
      if let grant = accounts.grant(granted: granted, ids: ids, revision: revision) {
        grants.append(grant)
      }
    }
    let refused = try create(grants)
    guard refused.isEmpty else { throw .unavailable(why: refused.joined(separator: "; ")) }
    for accounts in missing.values {
      limits.ready[accounts.quota] = limits.entries[accounts.limit.key]?.revision ?? 0
    }
    // Accounts of periods long over are not looked at again.
    if limits.ready.count > 4 * (limits.entries.count + 64) { limits.ready = [:] }
  }

  private func balances(_ all: [LimitAccounts]) throws(LedgerError) -> [UInt128: LedgerAccount] {
    let ids = all.flatMap { [$0.quota, $0.used, $0.writtenOff] }
    var found: [UInt128: LedgerAccount] = [:]
    for start in stride(from: 0, to: ids.count, by: ledger.batchMax) {
      let part = Array(ids[start..<min(start + ledger.batchMax, ids.count)])
      for account in try ledger.lookup(accounts: part) { found[account.id] = account }
    }
    return found
  }

  private func lookup(transfers ids: [UInt128]) throws(LedgerError) -> [LedgerTransfer] {
    var found: [LedgerTransfer] = []
    for start in stride(from: 0, to: ids.count, by: ledger.batchMax) {
      found += try ledger.lookup(
        transfers: Array(ids[start..<min(start + ledger.batchMax, ids.count)]))
    }
    return found
  }

  private mutating func readStandings(
    _ current: [LimitKey: LimitAccounts], at time: WallTime
  ) throws(LedgerError) -> [MeterEvent] {
    let balances = try self.balances(Array(current.values))
    var events: [MeterEvent] = []
    for (key, accounts) in current.sorted(by: {
      ($0.key.app, $0.key.subject) < ($1.key.app, $1.key.subject)
    }) {
      let standing = LimitEngine.standing(
        accounts, quota: balances[accounts.quota], used: balances[accounts.used],
        writtenOff: balances[accounts.writtenOff])
      if let event = limits.update(key, standing, at: time) { events.append(event) }
    }
    return events
  }

  /// Charges a limit that is set in the middle of its period with what was used before.
  mutating func openLimit(
    _ entry: LimitEngine.Entry, usedBefore: Int64, at time: WallTime
  ) throws(LedgerError) -> [MeterEvent] {
    let key = entry.limit.key
    let isNew = limits.entries[key] == nil
    limits.entries[key] = entry
    let accounts = LimitAccounts(entry.limit, entry.subject, at: time, ids: ids)
    try prepare([accounts])
    if isNew, usedBefore > 0 {
      let already = try balances([accounts])
      let counted =
        (already[accounts.used]?.creditsPosted ?? 0)
        + (already[accounts.writtenOff]?.creditsPosted ?? 0)
      let use = LimitEngine.Use(
        key: key, accounts: accounts, sequence: -entry.revision,
        amount: max(0, usedBefore - counted))
      if use.amount > 0 {
        _ = try create([
          accounts.transfer(
            drainID(use), from: accounts.quota, to: accounts.used, use.amount,
            code: LedgerCode.drain, flags: .balancingDebit)
        ])
        _ = try create(try shortfalls([use]))
      }
    }
    return try readStandings([key: accounts], at: time)
  }

  // MARK: - Reservations

  private func voids() -> [LedgerTransfer] {
    (limits.released + limits.leases.values.compactMap(\.held)).flatMap { reservation in
      reservation.holds.map { hold in
        LedgerTransfer(
          id: hold ^ 1, debitAccountID: 0, creditAccountID: 0, amount: 0, ledger: 0, code: 0,
          flags: .voidPending, pendingID: hold)
      }
    }
  }

  /// Asks for room under every limit that can refuse.
  mutating func reserve(
    app: String, subject: String, amount: Int64, lease seconds: UInt32, at time: WallTime
  ) throws(LedgerError) -> ReservationAnswer {
    let entries = limits.entries(app: app, subject: subject).filter { $0.limit.action != .warn }
    let all = entries.map { LimitAccounts($0.limit, $0.subject, at: time, ids: ids) }
    try prepare(all)
    limits.reservationNumber += 1
    let chain = all.map { accounts in
      let id = ids.transfer(
        at: time, ["reserve", "\(accounts.quota)", "\(limits.reservationNumber)"])
      // The lowest bit tells the void of a reservation from the reservation.
      return accounts.transfer(
        id & ~1, from: accounts.quota, to: accounts.used, amount, code: LedgerCode.reserve,
        flags: .pending, timeout: max(1, seconds))
    }
    let granted = Reservation(
      app: app, subject: subject, amount: amount, holds: chain.map(\.id),
      ledger: all.first?.subject.ledger ?? 0)
    guard !chain.isEmpty else { return .granted(granted) }
    switch try ledger.ensure(chain: chain) {
    case .created, .existed: return .granted(granted)
    case .refused(let statuses):
      let index = statuses.firstIndex { $0 != .linkedEventFailed } ?? 0
      let accounts = all[index]
      let balances = try self.balances([accounts])
      return .refused(
        LimitEngine.standing(
          accounts, quota: balances[accounts.quota], used: balances[accounts.used],
          writtenOff: balances[accounts.writtenOff]))
    }
  }

  /// Gives every lease room for another interval: its chunk, or what is left.
  private mutating func refillLeases(at time: WallTime) throws(LedgerError) {
    for (key, (lease, _)) in limits.leases {
      let entries = limits.entries(app: lease.app, subject: lease.subject)
        .filter { $0.limit.action != .warn }
      guard !entries.isEmpty else {
        lease.lift()
        continue
      }
      let room = entries.compactMap { limits.standings[$0.limit.key]?.remaining }.min() ?? 0
      let amount = min(lease.chunk, room)
      guard amount > 0,
        case .granted(let held) = try reserve(
          app: lease.app, subject: lease.subject, amount: amount, lease: Self.leaseSeconds, at: time
        )
      else {
        lease.refill(0)
        continue
      }
      limits.leases[key] = (lease, held)
      lease.refill(amount)
    }
  }

  /// A lease outlives a few missed ticks, and a dead host's room returns within a minute.
  static let leaseSeconds: UInt32 = 60
}
