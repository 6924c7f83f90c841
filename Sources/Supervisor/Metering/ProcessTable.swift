// SPDX-License-Identifier: Apache-2.0
import Meter
import Sandbox
import Synchronization

/// Every sealed process that runs, for the sampler. Its figures come from the kernel.
final class ProcessTable: Sendable {
  struct Entry: Sendable {
    var app: String
    /// Unique for ever; see `ResourceSample.origin`.
    var origin: String
    var startedAt: Nanoseconds
    /// Reads the kernel's counters; nil once they are gone.
    var read: @Sendable () -> ProcessReading?
    /// The processes inside.
    var list: @Sendable () -> [ProcessFigures] = { [] }
    /// Refused system calls since this was asked last, by name.
    var takeBlocked: @Sendable () -> [String: Int] = { [:] }

    /// `guest`, `sql` or `compile`: the origin is `APP/ROLE-RUN-NUMBER`.
    var role: String { String(origin.dropFirst(app.count + 1).prefix { $0 != "-" }) }
  }

  private let entries = Mutex<[String: Entry]>([:])

  func insert(_ entry: Entry) { entries.withLock { $0[entry.origin] = entry } }
  func remove(origin: String) { entries.withLock { _ = $0.removeValue(forKey: origin) } }
  var all: [Entry] { entries.withLock { Array($0.values) } }
  func of(app: String) -> [Entry] {
    entries.withLock { $0.values.filter { $0.app == app } }
  }
}

/// One reading of a process's counters, without the app's name.
struct ProcessReading: Sendable {
  var source: SampleSource
  var userMicroseconds: Int64
  var systemMicroseconds: Int64
  var memoryBytes: Int64?
  var memoryPeakBytes: Int64?
  var processes: Int64?
  var oomKills: Int64 = 0
  var processLimitHits: Int64 = 0

  func sample(of entry: ProcessTable.Entry, now: Nanoseconds, isFinal: Bool) -> ResourceSample {
    ResourceSample(
      app: entry.app, origin: entry.origin, source: source, cpuUserMicroseconds: userMicroseconds,
      cpuSystemMicroseconds: systemMicroseconds, memoryCurrentBytes: memoryBytes,
      memoryPeakBytes: memoryPeakBytes, oomKills: oomKills, processLimitHits: processLimitHits,
      processes: processes, age: now - entry.startedAt, isFinal: isFinal)
  }
}
