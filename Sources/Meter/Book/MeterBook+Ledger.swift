// SPDX-License-Identifier: Apache-2.0
import SQLite
import Synchronization

/// How a tick reaches the ledger. The lines are on disk before; whatever fails here is done again,
/// under the same ids, by a later tick.
extension MeterBook {
  /// Which ticks the ledger has. Written with the next tick's lines: repeating the last ones after a
  /// crash changes nothing.
  struct LedgerProgress: Sendable, Equatable {
    /// Drained from limits up to this tick.
    var drained: Int64 = 0
    /// Posted up to this tick.
    var posted: Int64 = 0
    /// Being posted up to this tick: written before the ledger is asked, so that a repeat posts the
    /// same sums.
    var posting: Int64 = 0
    /// Book time of the last posting.
    var postedAt: Int64 = 0
    var isBehind = false

    var oldest: Int64 { min(drained, posted) }
  }

  /// LIMIT: lines read back for the ledger at once, if it was out of reach for a while.
  private static let backlogMax = 200_000

  /// Posts and settles; gives the events and notes what the ledger said.
  func reachLedger(
    _ disk: inout Disk, _ lines: [MeterLine], definitions: [String: MeterDefinition],
    at time: WallTime
  ) -> [MeterEvent] {
    do throws(MeterError) {
      let events = try settle(&disk, lines, at: time)
      try post(&disk, definitions: definitions)
      let wasBehind = disk.progress.isBehind
      disk.progress.isBehind = false
      return events
        + (wasBehind
          ? [MeterEvent(at: time, kind: .ledgerBehind, detail: "the ledger has caught up")] : [])
    } catch {
      guard !disk.progress.isBehind else { return [] }
      disk.progress.isBehind = true
      let words = "\(error.description) What was measured is kept and posted later."
      return [MeterEvent(at: time, kind: .ledgerBehind, detail: words)]
    }
  }

  private func settle(
    _ disk: inout Disk, _ lines: [MeterLine], at time: WallTime
  ) throws(MeterError) -> [MeterEvent] {
    let sequence = disk.sequence
    var due = lines.map { (sequence: sequence, line: $0) }
    if disk.progress.drained < sequence - 1 {
      due = disk.desk.limits.entries.isEmpty ? [] : try backlog(disk, after: disk.progress.drained)
    }
    let settled: (events: [MeterEvent], refused: [String])
    do {
      settled = try disk.desk.settle(due, at: time)
    } catch {
      throw .ledger(error)
    }
    disk.progress.drained = sequence
    let standings = disk.desk.limits.standings
    memory.withLock { $0.standings = standings }
    return settled.events + refusals(settled.refused, at: time)
  }

  private func post(
    _ disk: inout Disk, definitions: [String: MeterDefinition]
  ) throws(MeterError) {
    let progress = disk.progress
    guard progress.posted < progress.posting else { return }
    let lines = try backlog(disk, after: progress.posted, through: progress.posting)
    let refused: [String]
    do {
      refused = try disk.desk.post(lines, batch: progress.posting, definitions: definitions)
    } catch {
      throw .ledger(error)
    }
    disk.progress.posted = progress.posting
    let events = refusals(refused, at: clock.wall())
    guard !events.isEmpty else { return }
    let store = disk.store
    try store.transaction { () throws(SQLiteError) in try store.append(events) }
  }

  private func refusals(_ refused: [String], at time: WallTime) -> [MeterEvent] {
    refused.map {
      MeterEvent(at: time, kind: .ledgerBehind, detail: "the ledger refused a posting: \($0)")
    }
  }

  private func backlog(
    _ disk: Disk, after sequence: Int64, through last: Int64 = .max
  ) throws(MeterError) -> [(sequence: Int64, line: MeterLine)] {
    let store = disk.store
    return try store.attempt { () throws(SQLiteError) in
      try store.lines(after: sequence, through: last, limit: Self.backlogMax)
        .map { (sequence: $0.0, line: $0.1) }
    }
  }
}
