// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Meter
import Sandbox

extension Supervisor {
  /// One app as it is at this moment; `bulkhead top` makes rates of two of these.
  package func top(_ text: String) async throws -> AppTop {
    let (app, handle) = try find(text)
    let book = meter.book
    let usage = try await usageNow(of: app)
    let status = try status(of: app.id)
    return AppTop(
      stats: stats(of: app, usage), state: status.state, uptimeSeconds: status.uptimeSeconds,
      limits: LimitSummary(app.effectiveLimits),
      budgets: book.standings(app: app.id).map(Budget.init),
      processes: meter.processes.of(app: app.id).flatMap { entry in
        entry.list().map { AppProcess($0, role: entry.role) }
      }.sorted { $0.pid < $1.pid },
      requestDurations: AppTop.Durations(handle.traffic.durations))
  }
}

extension AppProcess {
  fileprivate init(_ figures: ProcessFigures, role: String) {
    self.init(
      pid: figures.pid, parent: figures.parent, role: role, name: figures.name,
      state: figures.state, threads: figures.threads,
      cpuSeconds: Double(figures.userMicroseconds + figures.systemMicroseconds) / 1e6,
      memoryBytes: figures.residentBytes, startTicks: figures.startTicks)
  }
}

extension AppTop.Durations {
  fileprivate init(_ histogram: LatencyHistogram) {
    let (counts, sum) = histogram.snapshot
    self.init(
      boundsSeconds: LatencyHistogram.bounds.map { Double($0) / 1e6 }, counts: counts,
      sumSeconds: Double(sum) / 1e6)
  }
}
