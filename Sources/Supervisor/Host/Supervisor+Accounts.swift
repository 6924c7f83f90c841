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
      let usage = try await usageNow(of: app)
      all.append(stats(of: app, usage))
    }
    return all
  }

  /// Up to this moment: rates are made of two of these.
  func usageNow(of app: InstalledApp) async throws -> AppUsage {
    try await onQueue(meterQueue) { [meter] in
      meter.sample(app: app.id)
      return try meter.book.usage(app: app.id)
    }
  }

  func stats(of app: InstalledApp, _ usage: AppUsage) -> AppStats {
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
      requests: UInt64(usage.total(Meters.requests)), calls: UInt64(usage.total(Meters.calls)),
      restarts: UInt64(usage.total(Meters.restarts)),
      oomKills: UInt64(usage.total(Meters.oomKills)),
      blockedCalls: UInt64(usage.total(Meters.blockedSyscalls)))
  }

  package func report(_ query: AdminAPI.ReportQuery) async throws -> RenderedReport {
    let found = try query.app.map { try find($0).app }
    let app = found?.id
    let now = clock.wall()
    let month = now.date
    let wanted = Meter.ReportQuery(
      kind: query.kind == .cost ? .cost : .usage, apps: app.map { [$0] } ?? [],
      by: Self.dimensions(query),
      since: query.since.map(WallTime.init)
        ?? CalendarDate(year: month.year, month: month.month, day: 1).start,
      until: query.until.map(WallTime.init) ?? WallTime(microseconds: now.microseconds + 1))
    let book = meter.book
    let site = Report.Site(
      accountID: "bulkhead", accountName: "Bulkhead", organisation: "Bulkhead",
      appNames: Dictionary(
        uniqueKeysWithValues: registry.all.map { ($0.id, $0.manifest.app.name) }))
    return try await onQueue(meterQueue) { [meter] in
      // Of one app the disk is read at once; of all, it is as old as the last survey.
      if let found {
        meter.survey(found)
        meter.sample(app: found.id)
      }
      // The lines up to this moment, not to the last tick: who asks wants to see what was just used.
      try book.tick()
      return try Self.render(try book.report(wanted), query, site)
    }
  }

  /// What rows are kept apart by. A day or an hour is of an app; a FOCUS file needs both.
  private static func dimensions(
    _ query: AdminAPI.ReportQuery
  ) -> [Meter.ReportQuery.Dimension] {
    switch (query.groupBy, query.kind, query.format) {
    case (.hour, _, _): [.app, .hour]
    case (.day, _, _), (_, .cost, .csv): [.app, .day]
    case (.app, _, _): [.app]
    case (.meter, _, _): [.meter]
    case (.destination, _, _): [.app, .destination]
    }
  }

  private static func render(
    _ report: Report, _ query: AdminAPI.ReportQuery, _ site: Report.Site
  ) throws -> RenderedReport {
    switch query.format {
    case .table: RenderedReport(mediaType: "text/plain; charset=utf-8", text: report.table())
    case .json: RenderedReport(mediaType: "application/json", text: report.json())
    case .html: RenderedReport(mediaType: "text/html; charset=utf-8", text: report.html())
    case .csv:
      RenderedReport(
        mediaType: "text/csv; charset=utf-8",
        text: query.kind == .cost ? try report.focusCSV(site) : report.usageCSV())
    }
  }

  package func limits(_ text: String) async throws -> LimitReport {
    let app = try find(text).app
    return LimitReport(
      app: app.id, asked: LimitSummary(app.manifest.limits),
      effective: LimitSummary(app.effectiveLimits),
      budgets: meter.book.standings(app: app.id).map(Budget.init))
  }

  package func changeLimits(_ text: String, _ change: LimitChange) async throws -> LimitReport {
    let (app, handle) = try find(text)
    return try await changing(app.id) {
      try await changeBudgets(of: app.id, change)
      guard change.setsResources else { return try await limits(app.id) }
      try change.requireLower(than: app.manifest.limits)
      let updated = try await onQueue(storeQueue) { [registry] in
        try registry.update(app.id) { $0.apply(change) }
      }
      let spec = spec(of: updated)
      await replace(spec, of: handle)
      return try await limits(app.id)
    }
  }

  private func changeBudgets(of app: String, _ change: LimitChange) async throws {
    let book = meter.book
    if let budget = change.budget {
      let limit = AppLimit(
        app: app, subject: budget.meter, period: LimitPeriod(budget.period), amount: budget.max,
        action: LimitAction(budget.action))
      try await onQueue(meterQueue) { try book.setLimit(limit) }
    }
    if let name = change.removeBudget {
      let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      let period = parts.count == 2 ? LimitPeriod(rawValue: parts[1]) : nil
      let isRemoved = try await onQueue(meterQueue) {
        guard let period else { return false }
        return try book.removeLimit(app: app, subject: parts[0], period: period)
      }
      guard isRemoved else {
        throw HostError(
          .notFound, "budget", "\(app) has no budget \(name). `bulkhead limit \(app)` lists them.")
      }
    }
    await onQueue(meterQueue) { self.settleBudgets() }
  }

  /// Brings limits into force now and not with the next tick. Blocks on the book.
  func settleBudgets() {
    applyBudgets()
    do throws(MeterError) { try meter.book.tick() } catch {
      logger.error(
        "an interval was not written; the next will hold it", metadata: ["error": "\(error)"])
    }
    applyBudgets()
  }

  /// Tells every runner where its app stands. Also called after each tick of the meter. Blocks for a moment on the book.
  func applyBudgets() {
    let limited = meter.book.limitedApps
    // An app whose last limit was lifted is told so once; a thousand that never had one are not asked.
    let before = apps.exchangeLimited(limited)
    for id in limited.union(before) {
      guard let handle = apps[id] else { continue }
      let (state, cause) = meter.book.decision(app: handle.id)
      handle.runner.setBudget(BudgetHold(state, cause))
      handle.gate.follow()
    }
  }

  package func prices() async throws -> JSONValue { meter.book.prices.json }

  package func setPrices(_ source: PriceBookSource) async throws -> JSONValue {
    let book = meter.book
    try await onQueue(meterQueue) { try book.setPrices(source) }
    return book.prices.json
  }

  package func metrics() async throws -> String {
    let facts = registry.all.map { app in
      MetricsSnapshot.AppFacts(
        app: app.id, isUp: apps[app.id]?.runner.published.current.state == .running,
        version: app.manifest.app.version, publisher: app.manifest.app.authors.first ?? "",
        memoryLimitBytes: Int64(app.effectiveLimits.memoryBytes),
        storageLimitBytes: Int64(app.effectiveLimits.storageBytes))
    }
    var durations: [String: LatencyHistogram] = [:]
    var calls: [String: CallStatistics] = [:]
    for handle in apps.all {
      durations[handle.id] = handle.traffic.durations
      calls[handle.id] = handle.calls
    }
    return meter.book.metrics(
      facts: facts, hostVersion: hostVersion, durations: durations, calls: calls
    ).text()
  }
}

extension LimitChange {
  /// The operator may lower what the manifest asks for, never raise it.
  func requireLower(than asked: AppManifest.Limits) throws(HostError) {
    let raised =
      [
        (memoryBytes ?? 0) > asked.memory.bytes ? "memory" : nil,
        (cpuCores ?? 0) * 1_000 > Double(asked.cpuMillicores) ? "cpu" : nil,
        (processes ?? 0) > asked.processes ? "processes" : nil,
        (storageBytes ?? 0) > asked.storage.bytes ? "storage" : nil,
      ].compactMap { $0 }
    guard raised.isEmpty else {
      throw HostError(
        .params, "limit",
        "\(raised.joined(separator: ", ")) would be above what the app's manifest asks for; "
          + "limits can only be lowered.")
    }
  }

  var setsResources: Bool {
    reset || cpuCores != nil || memoryBytes != nil || processes != nil || storageBytes != nil
  }
}

extension LimitPeriod {
  init(_ period: Budget.Period) {
    switch period {
    case .hour: self = .hour
    case .day: self = .day
    case .month: self = .month
    }
  }
}

extension LimitAction {
  init(_ action: Budget.Action) {
    switch action {
    case .warn: self = .warn
    case .throttle: self = .throttle
    case .stop: self = .stop
    }
  }
}

extension Budget {
  init(_ standing: LimitStanding) {
    let limit = standing.limit
    self.init(
      meter: limit.subject, period: Period(rawValue: limit.period.rawValue) ?? .month,
      max: limit.amount, action: Action(rawValue: limit.action.rawValue) ?? .warn,
      used: standing.used)
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
