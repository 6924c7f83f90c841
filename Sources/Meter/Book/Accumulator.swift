// SPDX-License-Identifier: Apache-2.0

/// Turns readings into quantities. A pure value: the book owns one under a lock.
struct Accumulator: Sendable {
  /// LIMIT: origins followed at once; a host runs far fewer guests.
  static let originsMax = 65_536
  /// KiB·s in byte·nanoseconds.
  static let kibibyteSecond: Int128 = 1_024 * 1_000_000_000

  private(set) var marks: [String: CounterMark]
  /// Quantities since the last tick that succeeded.
  var pending: [SeriesKey: Int64] = [:]
  /// Origins whose mark changed or ended since then.
  var changed: Set<String> = []
  var ended: Set<String> = []
  /// Byte·nanoseconds of memory short of a whole KiB·s.
  private var remainders: [SeriesKey: Int128] = [:]
  var events: [(kind: MeterEvent.Kind, app: String?, detail: String)] = []

  init(marks: [String: CounterMark] = [:]) { self.marks = marks }

  mutating func add(_ key: SeriesKey, _ quantity: Int64, kind: MeterKind = .counter) {
    guard quantity > 0 else { return }
    if kind == .peak {
      pending[key] = max(pending[key] ?? 0, quantity)
    } else {
      // Saturates: a sum past 2^63 is refused where it is stored, not by a trap here.
      let (sum, overflow) = pending[key, default: 0].addingReportingOverflow(quantity)
      pending[key] = overflow ? .max : sum
    }
  }

  /// Takes one reading, at monotonic time `now`.
  mutating func ingest(_ sample: ResourceSample, at now: Nanoseconds) throws(MeterError) {
    guard marks[sample.origin] != nil || marks.count < Self.originsMax else {
      throw .tooMany(what: "guests measured at once", max: Self.originsMax)
    }
    let known = marks[sample.origin]
    var mark = known ?? CounterMark(app: sample.app, source: sample.source)
    let key = { (meter: MeterDefinition) in
      SeriesKey(app: sample.app, meter: meter.name, source: sample.source)
    }
    add(key(Meters.cpuUser), rise(&mark.cpuUser, sample.cpuUserMicroseconds, sample, "cpu.user"))
    add(
      key(Meters.cpuSystem),
      rise(&mark.cpuSystem, sample.cpuSystemMicroseconds, sample, "cpu.system"))
    let kills = rise(&mark.oomKills, sample.oomKills, sample, "oom")
    add(key(Meters.oomKills), kills)
    if kills > 0 { events.append((.outOfMemory, sample.app, "\(kills) killed by the kernel")) }
    let hits = rise(&mark.processLimitHits, sample.processLimitHits, sample, "pids")
    add(key(Meters.processLimitHits), hits)
    if hits > 0 { events.append((.processLimit, sample.app, "\(hits) forks refused")) }
    addMemory(sample, &mark, key, at: now)
    changed.insert(sample.origin)
    if sample.isFinal {
      marks[sample.origin] = nil
      ended.insert(sample.origin)
    } else {
      marks[sample.origin] = mark
      ended.remove(sample.origin)
    }
  }

  private mutating func rise(
    _ last: inout Int64, _ total: Int64, _ sample: ResourceSample, _ name: String
  ) -> Int64 {
    let old = last
    let (delta, wentBack) = CounterMark.rise(
      from: old, to: max(0, total), startsAtZero: sample.source.startsAtZero)
    last = max(0, total)
    if wentBack {
      events.append(
        (.counterWentBack, sample.app, "\(name) went from \(old) to \(total); \(delta) counted"))
    }
    return delta
  }

  /// Memory over time: the mean of two readings times the time between them; a first reading with a
  /// known age counts from zero. The peak of an interval is the kernel's peak where it rose in it,
  /// else the reading.
  private mutating func addMemory(
    _ sample: ResourceSample, _ mark: inout CounterMark, _ key: (MeterDefinition) -> SeriesKey,
    at now: Nanoseconds
  ) {
    let peak = sample.memoryPeakBytes ?? 0
    let current = sample.memoryCurrentBytes ?? 0
    add(key(Meters.memoryPeak), peak > mark.memoryPeak ? peak : current, kind: .peak)
    var before = mark.memoryBytes
    var after = current
    var span = Nanoseconds(0)
    if let readAt = mark.readAt {
      span = now - readAt
    } else if mark.memoryPeak == 0, let age = sample.age {
      span = age
      before = 0
      if sample.isFinal { after = max(current, peak) }
    }
    mark.memoryPeak = max(peak, mark.memoryPeak)
    mark.memoryBytes = current
    mark.processes = sample.processes ?? 0
    mark.readAt = now
    guard span.value > 0, before + after > 0 else { return }
    let series = key(Meters.memoryTime)
    let total =
      (Int128(before) + Int128(after)) * Int128(span.value) / 2 + (remainders[series] ?? 0)
    remainders[series] = total % Self.kibibyteSecond
    add(series, Int64(clamping: total / Self.kibibyteSecond))
  }

  /// What one interval produced. Hand it back with `restore` if it could not be stored.
  struct Batch: Sendable {
    var quantities: [SeriesKey: Int64]
    var marks: [String: CounterMark]
    var ended: Set<String>
    var events: [(kind: MeterEvent.Kind, app: String?, detail: String)]
  }

  mutating func takeBatch() -> Batch {
    let batch = Batch(
      quantities: pending, marks: marks.filter { changed.contains($0.key) }, ended: ended,
      events: events)
    pending = [:]
    changed = []
    ended = []
    events = []
    return batch
  }

  mutating func restore(_ batch: Batch, kind: (String) -> MeterKind) {
    for (key, quantity) in batch.quantities { add(key, quantity, kind: kind(key.meter)) }
    changed.formUnion(batch.marks.keys)
    ended.formUnion(batch.ended.filter { marks[$0] == nil })
    events = Array((batch.events + events).suffix(1_000))
  }

  mutating func forget(origin: String) {
    guard marks.removeValue(forKey: origin) != nil else { return }
    ended.insert(origin)
  }

  /// Memory and processes of each app as last read, over all its origins (guest and SQL worker).
  var memoryNow: [String: Int64] {
    marks.values.reduce(into: [:]) { sums, mark in
      if mark.readAt != nil { sums[mark.app, default: 0] += mark.memoryBytes }
    }
  }
  var processesNow: [String: Int64] {
    marks.values.reduce(into: [:]) { sums, mark in
      if mark.readAt != nil, mark.processes > 0 { sums[mark.app, default: 0] += mark.processes }
    }
  }

  /// Forgets an app's memory remainders, when it is uninstalled.
  mutating func forget(app: String) {
    for key in remainders.keys where key.app == app { remainders[key] = nil }
  }
}
