// SPDX-License-Identifier: Apache-2.0
import SQLite
import Synchronization

/// What every app used and what it cost: the one entry to the meter.
///
/// Thread-safe. `record` and the counters of `registry` never touch the disk and may be called from
/// anywhere. Every other method blocks on SQLite (a tick: one transaction of its own file and one
/// batch to the ledger): call them from a thread of their own, never from the cooperative pool.
public final class MeterBook: Sendable {
  public struct Configuration: Sendable {
    /// Names this host in ledger ids. Two hosts that share a ledger must differ.
    public var host: String
    /// How often `tick` is called; a pause of ten times this is recorded as a gap.
    public var interval: Nanoseconds
    public var retention: Retention
    /// How often sums are posted to the ledger. Limits are drained at every tick; posting all else
    /// less often keeps the ledger small: it never forgets a transfer.
    public var postingInterval: Nanoseconds
    /// How long the embedded ledger keeps settled transfers; nil for ever. Balances always stay.
    public var ledgerRetention: Nanoseconds?
    /// Rows of one report; what would have more is refused by name, and the sums behind them are bounded likewise.
    public var reportRowsMax = 500_000
    /// SHA-256, for the names of ledger accounts and transfers.
    public var hash: @Sendable ([UInt8]) -> [UInt8]

    public init(
      host: String = "local", interval: Nanoseconds = .seconds(5), retention: Retention = .init(),
      postingInterval: Nanoseconds = .seconds(300),
      ledgerRetention: Nanoseconds? = .seconds(7 * 86_400),
      hash: @escaping @Sendable ([UInt8]) -> [UInt8] = SHA256Digest.hash
    ) {
      self.host = host
      self.interval = interval
      self.retention = retention
      self.postingInterval = postingInterval
      self.ledgerRetention = ledgerRetention
      self.hash = hash
    }
  }

  public let registry: MeterRegistry
  public let configuration: Configuration
  let clock: MeterClock

  /// What happens between ticks. Never held while the disk is waited for.
  struct Memory: Sendable {
    var accumulator: Accumulator
    var time: BookTime
    var levels: [SeriesKey: LevelState]
    var pricing: Pricing
    /// Nanoseconds the book was kept, over all runs of the host.
    var bookTime: Int64
    /// Start of the interval that the next successful tick writes.
    var intervalStart: WallTime
    var events: [MeterEvent] = []
    /// Levels of a tick that failed, to be written by the next.
    var unsavedLevels: [SeriesKey: LevelState] = [:]
    var removedApps: Set<String> = []
    /// As of the last tick.
    var standings: [LimitKey: LimitStanding] = [:]
    var failedTicks = 0
    /// Sums since the host started, for metrics.
    var totals: [SeriesKey: Int64] = [:]
    var isLedgerBehind = false
  }
  let memory: Mutex<Memory>

  /// The disk, one caller at a time.
  // SAFETY: the connection inside is not thread-safe; it is only ever reached through `disk`, which
  // is a lock, and never kept beyond it.
  struct Disk: @unchecked Sendable {
    var store: MeterStore
    var desk: LedgerDesk
    var sequence: Int64
    var progress: LedgerProgress
    var savedDefinitions: [MeterDefinition] = []
    var definitionsByName: [String: MeterDefinition] = [:]
    var rolledUp = WallTime(microseconds: 0)
  }
  let disk: Mutex<Disk>

  /// Opens the book in `directory` (`meter.sqlite`, and `ledger.sqlite` unless another ledger is
  /// given), making it where it is not there.
  ///
  /// If the last run did not close the book, the time since its last tick is recorded as a gap.
  /// - Throws: `newerFile`, `foreignFile`, `damagedFile`, `diskFull` or `storage`; the file is
  ///   unchanged then.
  public init(
    directory: String, configuration: Configuration = .init(), clock: MeterClock = .system,
    ledger: (any Ledger)? = nil
  ) throws(MeterError) {
    let registry = MeterRegistry()
    try registry.register(Meters.all)
    let store = try MeterStore(path: "\(directory)/\(MeterStore.fileName)")
    let wall = clock.wall()
    let opened = try store.transaction { () throws(SQLiteError) in
      try Self.open(store, at: wall)
    }
    try registry.register(Pricing.definitions(for: opened.pricing.book))
    self.registry = registry
    self.configuration = configuration
    self.clock = clock
    memory = Mutex(
      Memory(
        accumulator: Accumulator(marks: opened.marks),
        time: BookTime(wall: wall, monotonic: clock.monotonic()), levels: opened.levels,
        pricing: opened.pricing, bookTime: opened.bookTime, intervalStart: wall))
    let chosen: any Ledger
    if let ledger {
      chosen = ledger
    } else {
      chosen = try SQLiteLedger(directory: directory, clock: clock)
    }
    var desk = LedgerDesk(
      ledger: chosen, ids: LedgerIDs(host: configuration.host, hash: configuration.hash))
    var known: [String: MeterDefinition] = [:]
    for definition in registry.definitions { known[definition.name] = definition }
    for (name, definition) in opened.definitions where known[name] == nil {
      known[name] = definition
    }
    for (limit, revision) in opened.limits {
      desk.limits.entries[limit.key] = LimitEngine.Entry(
        limit: limit, subject: try LimitSubject(limit.subject, definitions: known),
        revision: revision)
    }
    disk = Mutex(
      Disk(store: store, desk: desk, sequence: opened.sequence, progress: opened.progress))
  }

  private struct Opened {
    var marks: [String: CounterMark]
    var levels: [SeriesKey: LevelState]
    var pricing: Pricing
    var bookTime: Int64
    var sequence: Int64
    var progress: LedgerProgress
    var limits: [(limit: AppLimit, revision: Int64)]
    var definitions: [String: MeterDefinition]
  }

  /// Reads what the last run left and records the time nobody measured.
  private static func open(_ store: MeterStore, at wall: WallTime) throws(SQLiteError) -> Opened {
    if let last = try store.state("last_tick") {
      let clean = try store.state("closed") == 1
      let gap = MeterGap(
        start: WallTime(microseconds: min(last, wall.microseconds)), end: wall,
        reason: clean ? .stopped : .crash)
      try store.append(gap)
      if !clean {
        let words = "nothing was measured from \(gap.start.rfc3339) to \(gap.end.rfc3339): "
        let why = "the host ended without closing its book"
        try store.append([MeterEvent(at: wall, kind: .gap, detail: words + why)])
      }
    }
    try store.setState("closed", 0)
    try store.setState("last_tick", wall.microseconds)
    return Opened(
      marks: try store.marks(), levels: try store.levels(),
      pricing: Pricing(book: try store.priceBook(), positions: try store.positions()),
      bookTime: try store.state("book_time") ?? 0, sequence: try store.state("sequence") ?? 0,
      progress: LedgerProgress(
        drained: try store.state("drained") ?? 0, posted: try store.state("posted") ?? 0,
        posting: try store.state("posting") ?? 0, postedAt: try store.state("book_time") ?? 0),
      limits: try store.limits(), definitions: try store.definitions())
  }

  // MARK: - Measuring

  /// Takes readings of running guests. No I/O.
  /// - Parameter at: when they were read (the clock's monotonic time); now if nil.
  /// - Throws: `tooMany` past `Accumulator.originsMax` guests.
  public func record(_ samples: [ResourceSample], at time: Nanoseconds? = nil) throws(MeterError) {
    let now = time ?? clock.monotonic()
    try memory.withLock { memory throws(MeterError) in
      for sample in samples { try memory.accumulator.ingest(sample, at: now) }
    }
  }

  /// Ends the readings of a guest whose counters vanished before a final sample could be taken.
  public func forget(origin: String) {
    memory.withLock { $0.accumulator.forget(origin: origin) }
  }

  /// Ends an uninstalled app's levels and forgets its counters. What it used stays in the book.
  public func remove(app: String) {
    let left = registry.remove(app: app)
    memory.withLock { memory in
      for (key, quantity) in left { memory.accumulator.add(key, quantity) }
      memory.accumulator.forget(app: app)
      memory.removedApps.insert(app)
      for key in memory.totals.keys where key.app == app { memory.totals[key] = nil }
    }
  }

  /// What one tick did.
  public struct TickOutcome: Sendable, Equatable {
    public var sequence: Int64
    public var start: WallTime
    public var end: WallTime
    public var lines: Int
    /// Also stored; given here for the host's log.
    public var events: [MeterEvent]
  }

  /// Ends an interval: writes one line for each thing that was used, in one transaction. Blocks.
  /// - Throws: `diskFull` or `storage`. Nothing is lost then: the interval goes on, and the next
  ///   tick writes it as a longer one.
  @discardableResult
  public func tick() throws(MeterError) -> TickOutcome {
    try tick(posting: false)
  }

  private func tick(posting isLast: Bool) throws(MeterError) -> TickOutcome {
    try disk.withLock { disk throws(MeterError) in
      var interval = takeInterval(sequence: disk.sequence + 1)
      let due =
        interval.write.bookTime - disk.progress.postedAt >= configuration.postingInterval.value
      if disk.progress.posted == disk.progress.posting, isLast || due {
        disk.progress.posting = interval.write.sequence
        disk.progress.postedAt = interval.write.bookTime
      }
      interval.write.progress = disk.progress
      do throws(MeterError) {
        try saveDefinitions(&disk)
        try disk.store.write(interval.write) { registry.definition($0)?.kind == .peak }
      } catch {
        restore(interval, after: error)
        throw error
      }
      disk.sequence = interval.write.sequence
      noteWritten(interval.write.lines)
      let time = interval.write.wall
      let late = reachLedger(
        &disk, interval.write.lines, definitions: disk.definitionsByName, at: time)
      let isBehind = disk.progress.isBehind
      memory.withLock { $0.isLedgerBehind = isBehind }
      if !late.isEmpty {
        let store = disk.store
        try store.transaction { () throws(SQLiteError) in try store.append(late) }
      }
      try rollUp(&disk, now: time, jumped: interval.jumped)
      return TickOutcome(
        sequence: interval.write.sequence, start: interval.start, end: interval.end,
        lines: interval.write.lines.count, events: interval.write.events + late)
    }
  }

  /// Writes and posts the last interval and marks the book closed, so that the next start knows that
  /// nothing was lost. Blocks.
  public func close() throws(MeterError) {
    _ = try tick(posting: true)
    try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      let progress = disk.progress
      try store.transaction { () throws(SQLiteError) in
        try store.setState("drained", progress.drained)
        try store.setState("posted", progress.posted)
        try store.setState("closed", 1)
      }
    }
  }

  private func noteWritten(_ lines: [MeterLine]) {
    memory.withLock { memory in
      memory.failedTicks = 0
      for line in lines { memory.totals[line.key, default: 0] += line.quantity }
    }
  }

  private func saveDefinitions(_ disk: inout Disk) throws(MeterError) {
    let definitions = registry.definitions
    guard definitions != disk.savedDefinitions else { return }
    let store = disk.store
    try store.transaction { () throws(SQLiteError) in try store.save(definitions) }
    disk.savedDefinitions = definitions
    for definition in definitions { disk.definitionsByName[definition.name] = definition }
  }

  private func rollUp(_ disk: inout Disk, now: WallTime, jumped: Bool) throws(MeterError) {
    guard now.floored(toSeconds: 60) != disk.rolledUp else { return }
    // A clock that just jumped must not make the retention remove anything.
    let retention =
      jumped
      ? Retention(minutes: .max / 4_000_000, hours: .max / 4_000_000)
      : configuration.retention
    try disk.store.rollUp(now: now, posted: disk.progress.oldest, retention: retention)
    disk.rolledUp = now.floored(toSeconds: 60)
    if !jumped { prune(disk, now: now) }
  }

  /// LIMIT: transfers removed a minute, more than a busy host makes.
  private static let prunedMax = 5_000

  private func prune(_ disk: Disk, now: WallTime) {
    guard let kept = configuration.ledgerRetention, let ledger = disk.desk.ledger as? SQLiteLedger
    else { return }
    // What cannot be removed now (a full disk) is removed by a later minute; nothing depends on it.
    _ = try? ledger.prune(
      before: WallTime(microseconds: now.microseconds - kept.value / 1_000), limit: Self.prunedMax)
  }
}
