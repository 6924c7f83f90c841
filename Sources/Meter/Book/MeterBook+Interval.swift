// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// How a tick closes one interval in memory, and takes it back if it cannot be written.
extension MeterBook {
  struct Interval: Sendable {
    var start: WallTime
    var end: WallTime
    var write: TickWrite
    var batch: Accumulator.Batch
    /// The app's positions in their months before this interval was charged.
    var positionsBefore: [Pricing.Item: Pricing.Position]
    var jumped: Bool
  }

  func takeInterval(sequence: Int64) -> Interval {
    let drained = registry.drain()
    let set = registry.takeChangedLevels()
    let overflowed = registry.takeOverflowed()
    let wall = clock.wall()
    let monotonic = clock.monotonic()
    return memory.withLock { memory in
      for (key, quantity) in drained { memory.accumulator.add(key, quantity) }
      let advance = memory.time.advance(wall: wall, monotonic: monotonic)
      memory.bookTime += advance.elapsed.value
      note(&memory, advance, overflowed: overflowed)
      let span = (start: memory.intervalStart, end: advance.end)
      let levels = settleLevels(&memory, set: set, advance: advance)
      let batch = memory.accumulator.takeBatch()
      let events =
        memory.events
        + batch.events.map {
          MeterEvent(at: advance.end, kind: $0.kind, app: $0.app, detail: $0.detail)
        }
      let lines = batch.quantities.map {
        MeterLine($0.key, quantity: $0.value, start: span.start, end: span.end)
      }
      let positionsBefore = memory.pricing.positions
      let used = lines + levels.lines
      let (charges, moved) = memory.pricing.charge(used)
      let write = TickWrite(
        sequence: sequence, wall: memory.time.wall, bookTime: memory.bookTime,
        lines: used + charges, marks: batch.marks, endedOrigins: batch.ended,
        levels: memory.unsavedLevels.merging(levels.changed) { _, new in new },
        removedLevels: levels.removed, positions: moved, events: events)
      memory.events = []
      memory.unsavedLevels = [:]
      memory.intervalStart = memory.time.wall
      return Interval(
        start: span.start, end: span.end, write: write, batch: batch,
        positionsBefore: positionsBefore, jumped: advance.jump != nil)
    }
  }

  private func note(
    _ memory: inout Memory, _ advance: BookTime.Advance,
    overflowed: [(app: String, meter: String)]
  ) {
    if let jump = advance.jump {
      let words = "the clock said \(jump.found.rfc3339) where \(jump.expected.rfc3339) was expected"
      memory.events.append(
        MeterEvent(at: jump.found, kind: .clockJumped, detail: words + "; no quantity is affected"))
    }
    for (app, meter) in overflowed {
      let words = "more than \(MeterRegistry.labelsMax) labels of \(meter); the rest are counted "
      memory.events.append(
        MeterEvent(
          at: advance.end, kind: .labelsOverflowed, app: app,
          detail: words + "as \(MeterRegistry.overflowLabel)"))
    }
  }

  private struct SettledLevels {
    var lines: [MeterLine] = []
    var changed: [SeriesKey: LevelState] = [:]
    var removed: [SeriesKey] = []
  }

  /// Levels over time: a line when a level changed, and for all of them when an hour ends, so that
  /// the hour's rollup is whole while a thousand idle apps cost nothing in between.
  private func settleLevels(
    _ memory: inout Memory, set: [(key: SeriesKey, bytes: Int64)], advance: BookTime.Advance
  ) -> SettledLevels {
    let bookTime = memory.bookTime
    let wall = memory.time.wall
    let hourEnded = advance.start.floored(toSeconds: 3_600) != wall.floored(toSeconds: 3_600)
    var settled = SettledLevels()
    let settle = { (key: SeriesKey, old: LevelState, bytes: Int64) in
      let (quantity, remainder) = old.integral(until: bookTime)
      if quantity > 0, let name = self.registry.definition(key.meter)?.integral {
        var over = key
        over.meter = name
        settled.lines.append(
          MeterLine(over, quantity: quantity, start: old.sinceWall, end: advance.end))
      }
      settled.changed[key] = LevelState(
        bytes: bytes, since: bookTime, sinceWall: wall, remainder: remainder)
    }
    for (key, bytes) in set {
      let old = memory.levels[key]
      if let old, old.bytes != bytes { settle(key, old, bytes) }
      if old == nil {
        settled.changed[key] = LevelState(
          bytes: bytes, since: bookTime, sinceWall: wall, remainder: 0)
      }
    }
    for (key, old) in memory.levels where settled.changed[key] == nil {
      let isRemoved = memory.removedApps.contains(key.app)
      if hourEnded || isRemoved { settle(key, old, isRemoved ? 0 : old.bytes) }
    }
    for (key, level) in settled.changed { memory.levels[key] = level }
    for key in memory.levels.keys where memory.removedApps.contains(key.app) {
      settled.removed.append(key)
      settled.changed[key] = nil
      memory.levels[key] = nil
    }
    memory.removedApps = []
    return settled
  }

  /// Puts an interval back that could not be written: the next tick writes both as one.
  func restore(_ interval: Interval, after error: MeterError) {
    memory.withLock { memory in
      var batch = interval.batch
      batch.events = []
      memory.accumulator.restore(batch) { self.registry.definition($0)?.kind ?? .counter }
      memory.pricing.restore(interval.positionsBefore)
      for line in interval.write.lines where interval.batch.quantities[line.key] == nil {
        // Charges are made again by the tick that succeeds.
        guard Pricing.sku(ofMeter: line.meter) == nil else { continue }
        memory.accumulator.add(line.key, line.quantity)
      }
      memory.unsavedLevels = interval.write.levels
      memory.events = Array((interval.write.events + memory.events).suffix(1_000))
      if memory.failedTicks == 0 {
        memory.events.append(
          MeterEvent(at: interval.end, kind: .tickFailed, detail: error.description))
      }
      memory.failedTicks += 1
      memory.removedApps.formUnion(interval.write.removedLevels.map(\.app))
      memory.intervalStart = interval.start
    }
  }
}
