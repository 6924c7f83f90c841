// SPDX-License-Identifier: Apache-2.0
import Synchronization

extension MeterBook {
  /// What the metrics endpoint shows, as of the last tick. No I/O.
  /// - Parameters:
  ///   - facts: what the host knows of each installed app.
  ///   - durations: request durations, by app.
  ///   - calls: what each app asked of the host.
  public func metrics(
    facts: [MetricsSnapshot.AppFacts], hostVersion: String,
    durations: [String: LatencyHistogram] = [:], calls: [String: CallStatistics] = [:]
  ) -> MetricsSnapshot {
    var definitions: [String: MeterDefinition] = [:]
    for definition in registry.definitions { definitions[definition.name] = definition }
    return memory.withLock { memory in
      MetricsSnapshot(
        facts: facts.sorted { $0.app < $1.app }, hostVersion: hostVersion, totals: memory.totals,
        held: memory.levels.mapValues(\.bytes), memoryBytes: memory.accumulator.memoryNow,
        processes: memory.accumulator.processesNow, durations: durations,
        calls: calls,
        standings: memory.standings.values.sorted {
          ($0.limit.app, $0.limit.subject, $0.limit.period.rawValue)
            < ($1.limit.app, $1.limit.subject, $1.limit.period.rawValue)
        }, lastTick: memory.time.wall, isLedgerBehind: memory.isLedgerBehind,
        definitions: definitions)
    }
  }
}
