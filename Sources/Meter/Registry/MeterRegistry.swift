// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// One app's line of one meter: what quantities are kept apart by.
public struct SeriesKey: Sendable, Hashable {
  public var app: String
  public var meter: String
  /// Empty where the meter has no label.
  public var label: String
  public var source: SampleSource

  public init(app: String, meter: String, label: String = "", source: SampleSource) {
    self.app = app
    self.meter = meter
    self.label = label
    self.source = source
  }
}

/// Where brokers register what they measure and get the counters they add to.
///
/// A broker calls `register` once with its definitions, asks for a counter when an app connects (or
/// per destination), and adds. Looking a counter up takes a lock and a hash; adding does not.
public final class MeterRegistry: Sendable {
  /// LIMIT: labels an app can make for one meter, such as destinations it fetches from. Further
  /// ones are counted together under `overflowLabel`, so that no app can fill the book.
  public static let labelsMax = 256
  public static let overflowLabel = "(other)"
  /// LIMIT: bytes of a label; longer ones are cut.
  public static let labelBytesMax = 255

  private struct State {
    var definitions: [String: MeterDefinition] = [:]
    var counters: [SeriesKey: MeterCounter] = [:]
    var levels: [SeriesKey: MeterLevel] = [:]
    var labels: [String: Int] = [:]
    var overflowed: Set<String> = []
  }
  private let state = Mutex(State())

  public init() {}

  /// Makes meters known. Registering the same definition again does nothing.
  /// - Throws: `meterConflict` where the name is taken with another meaning.
  public func register(_ definitions: [MeterDefinition]) throws(MeterError) {
    for definition in definitions { try definition.check() }
    let conflict = state.withLock { state -> String? in
      for new in definitions {
        if let old = state.definitions[new.name], old != new { return new.name }
      }
      for new in definitions { state.definitions[new.name] = new }
      return nil
    }
    if let conflict {
      throw .meterConflict(name: conflict, detail: "with another unit, kind, label or ledger")
    }
  }

  public func definition(_ name: String) -> MeterDefinition? {
    state.withLock { $0.definitions[name] }
  }

  public var definitions: [MeterDefinition] {
    state.withLock { $0.definitions.values.sorted { $0.name < $1.name } }
  }

  /// The counter for `app`. The same arguments give the same counter; keep it.
  /// - Parameter label: what the definition's `label` names, such as `api.example.com:443`.
  /// - Throws: `unknownMeter`, or `meterConflict` if the meter is not a counter.
  public func counter(_ meter: MeterDefinition, app: String, label: String = "")
    throws(MeterError) -> MeterCounter
  {
    try require(meter, .counter)
    return state.withLock { state in
      let key = Self.key(meter, app, label, &state, known: { $0.counters[$1] != nil })
      if let counter = state.counters[key] { return counter }
      let counter = MeterCounter()
      state.counters[key] = counter
      return counter
    }
  }

  /// The level for `app`: bytes of one kind, such as `sqlite` or `objects`.
  public func level(_ meter: MeterDefinition, app: String, label: String = "")
    throws(MeterError) -> MeterLevel
  {
    try require(meter, .level)
    return state.withLock { state in
      let key = Self.key(meter, app, label, &state, known: { $0.levels[$1] != nil })
      if let level = state.levels[key] { return level }
      let level = MeterLevel()
      state.levels[key] = level
      return level
    }
  }

  private func require(_ meter: MeterDefinition, _ kind: MeterKind) throws(MeterError) {
    guard let known = definition(meter.name) else { throw .unknownMeter(meter.name) }
    guard known == meter, known.kind == kind else {
      throw .meterConflict(name: meter.name, detail: "it is a \(known.kind.rawValue)")
    }
  }

  private static func key(
    _ meter: MeterDefinition, _ app: String, _ label: String, _ state: inout State,
    known: (State, SeriesKey) -> Bool
  ) -> SeriesKey {
    var key = SeriesKey(app: app, meter: meter.name, label: cut(label), source: .host)
    guard !key.label.isEmpty, !known(state, key) else { return key }
    let group = "\(app)\n\(meter.name)"
    if state.labels[group, default: 0] >= labelsMax {
      state.overflowed.insert(group)
      key.label = overflowLabel
    } else {
      state.labels[group, default: 0] += 1
    }
    return key
  }

  private static func cut(_ label: String) -> String {
    label.utf8.count <= labelBytesMax
      ? label : String(decoding: Array(label.utf8.prefix(labelBytesMax)), as: UTF8.self)
  }

  // MARK: - For the book

  /// Takes all that was added since the last time.
  func drain() -> [(key: SeriesKey, quantity: Int64)] {
    state.withLock { state in
      state.counters.compactMap { key, counter in
        let quantity = counter.drain()
        return quantity > 0 ? (key, quantity) : nil
      }
    }
  }

  /// Levels that changed since the last time: a thousand idle apps are not looked through twice.
  func takeChangedLevels() -> [(key: SeriesKey, bytes: Int64)] {
    state.withLock { state in
      state.levels.compactMap { key, level in level.takeChange().map { (key, $0) } }
    }
  }

  func levels(app: String) -> [(key: SeriesKey, bytes: Int64)] {
    state.withLock { state in
      state.levels.compactMap { key, level in
        key.app == app ? level.current.map { (key, $0) } : nil
      }
    }
  }

  func waiting(app: String) -> [(key: SeriesKey, quantity: Int64)] {
    state.withLock { state in
      state.counters.compactMap { key, counter in
        key.app == app && counter.waiting > 0 ? (key, counter.waiting) : nil
      }
    }
  }

  /// Apps and meters whose labels ran over `labelsMax` since the last call.
  func takeOverflowed() -> [(app: String, meter: String)] {
    state.withLock { state in
      defer { state.overflowed = [] }
      return state.overflowed.sorted().map { group in
        let parts = group.split(separator: "\n", maxSplits: 1)
        return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
      }
    }
  }

  /// Forgets an uninstalled app's counters. What they still hold is returned for a last line.
  func remove(app: String) -> [(key: SeriesKey, quantity: Int64)] {
    state.withLock { state in
      let gone = state.counters.filter { $0.key.app == app }
      for key in gone.keys { state.counters[key] = nil }
      for key in state.levels.keys where key.app == app { state.levels[key] = nil }
      for group in state.labels.keys where group.hasPrefix("\(app)\n") { state.labels[group] = nil }
      return gone.compactMap { key, counter in
        let quantity = counter.drain()
        return quantity > 0 ? (key, quantity) : nil
      }
    }
  }
}
