// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Foundation
import GuestAPI
import Manifest
import Meter

extension Supervisor: AccountOperations, HostOperations {
  package func stats(_ text: String?) async throws -> [AppStats] {
    let wanted = try text.map { [try find($0).app] } ?? registry.all
    var all: [AppStats] = []
    for app in wanted {
      let book = meter.book
      let usage = try await onQueue(meterQueue) { try book.usage(app: app.id) }
      all.append(stats(of: app, usage))
    }
    return all
  }

  private func stats(of app: InstalledApp, _ usage: AppUsage) -> AppStats {
    let readings = meter.processes.of(app: app.id).compactMap { $0.read() }
    func sum(_ value: (ProcessReading) -> Int64?) -> Int64 {
      readings.reduce(0) { $0 + (value($1) ?? 0) }
    }
    return AppStats(
      app: app.id, origin: app.manifest.app.origin, time: Date(),
      cpuSeconds: Double(usage.cpuMicroseconds) / 1e6, memoryBytes: UInt64(sum(\.memoryBytes)),
      memoryLimitBytes: app.effectiveLimits.memoryBytes, processes: Int(sum(\.processes)),
      storageBytes: UInt64(usage.held.reduce(Int64(0)) { $0 + $1.bytes }),
      networkReceivedBytes: UInt64(
        usage.total(Meters.ingressReceived) + usage.total(Meters.egressReceived)),
      networkSentBytes: UInt64(usage.total(Meters.ingressSent) + usage.total(Meters.egressSent)),
      requests: UInt64(usage.total(Meters.requests)))
  }

  package func report(_ query: ReportQuery) async throws -> RenderedReport {
    throw HostError(.unsupported, "report", "not wired yet")
  }

  package func limits(_ text: String) async throws -> LimitReport {
    let app = try find(text).app
    return LimitReport(
      app: app.id, asked: LimitSummary(app.manifest.limits),
      effective: LimitSummary(app.effectiveLimits), budgets: [])
  }

  package func changeLimits(_ text: String, _ change: LimitChange) async throws -> LimitReport {
    let (app, handle) = try find(text)
    guard change.budget == nil, change.removeBudget == nil else {
      throw HostError(.unsupported, "budget", "not wired yet")
    }
    return try await changing(app.id) {
      let updated = try await onQueue(storeQueue) { [registry] in
        try registry.update(app.id) { $0.apply(change) }
      }
      let spec = spec(of: updated)
      handle.sql.replace(spec: spec)
      await handle.runner.replace(spec: spec)
      return try await limits(app.id)
    }
  }

  package func metrics() async throws -> String {
    throw HostError(.unsupported, "metrics", "not wired yet")
  }
}

extension AppRecord {
  /// What the operator set: each limit stays as it was unless named, and all go with `reset`.
  mutating func apply(_ change: LimitChange) {
    if change.reset {
      (memoryBytesMax, cpuMillicoresMax, processesMax, storageBytesMax) = (nil, nil, nil, nil)
    }
    if let memory = change.memoryBytes { memoryBytesMax = memory }
    if let cores = change.cpuCores { cpuMillicoresMax = Int64((cores * 1_000).rounded()) }
    if let processes = change.processes { processesMax = Int64(processes) }
    if let storage = change.storageBytes { storageBytesMax = storage }
  }
}
