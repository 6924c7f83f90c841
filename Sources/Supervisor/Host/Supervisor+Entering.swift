// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Foundation
import GuestAPI
import Meter
import NIOCore
import Sandbox

extension Supervisor {
  func spec(of app: InstalledApp) -> GuestSpec {
    GuestSpec(
      app, uid: uids.uid(of: app.id), isDevelopment: configuration.development)
  }

  /// Makes an installed app reachable: its runner, its brokers, its origin.
  @discardableResult
  func enter(_ app: InstalledApp) throws -> AppHandle {
    let log = logs.log(of: app.id)
    let spec = spec(of: app)
    let loop = group.next()
    let hostWork = try HostWork(app: app.id, registry: meter.book.registry)
    let storage = StorageAccount(limit: Int64(app.effectiveLimits.storageBytes))
    storage.note(.state, bytes: DatabaseFiles.bytes(app.directory.state))
    storage.note(.sqlite, bytes: DatabaseFiles.bytes(in: app.directory.sql))
    let sql = SQLBroker(
      spec: spec, eventLoop: loop, starter: starter, watcher: watcher, journal: log,
      storage: storage, hostWork: hostWork)
    let vault = vault(of: app.id, state: app.directory.state, storage: storage)
    let calls = CallStatistics()
    let gate = RequestGate(app: app.id, book: meter.book)
    let services = brokers(for: app.id, log: log, sql: sql, vault: vault, calls: calls)
    let runner = AppRunner(
      spec: spec, isEnabled: app.record.isEnabled, eventLoop: loop,
      starter: SecretsCheckingStarter(
        inner: starter, vault: vault,
        required: { [registry] in registry[app.id]?.manifest.requiredSecrets ?? [] }),
      journal: try MeteredJournal(log, app: app.id, registry: meter.book.registry),
      gate: { gate.refusal() }
    ) { started in
      if let socket = started.sqlSocket { sql.guestArrived(directSocket: socket) }
      return AppService(brokers: services, hostWork: hostWork) { sql.guestLeft() }
    }
    let handle = AppHandle(
      id: app.id, runner: runner, sql: sql, vault: vault, log: log,
      traffic: try TrafficMeter(app: app.id, registry: meter.book.registry, hostWork: hostWork),
      calls: calls, gate: gate, storage: storage)
    apps.put(handle, origin: handle.origin(of: app))
    meter.noteChange(app: app.id)
    return handle
  }

  /// The brokers of one app. Each call is counted on its way.
  private func brokers(
    for id: String, log: AppLog, sql: SQLBroker, vault: AppVault, calls: CallStatistics
  ) -> [String: any Broker] {
    let all: [String: any Broker] = [
      "sql": sql, "secrets": vault, "keys": vault, "log": LogBroker(log: log),
      "config": ConfigBroker { [registry] in registry[id]?.manifest.defaultConfig ?? [:] },
      "usage": UsageBroker(app: id, book: meter.book, queue: meterQueue),
    ]
    return all.mapValues {
      CountedBroker(
        broker: $0, app: id, registry: meter.book.registry, statistics: calls, clock: clock)
    }
  }

  /// - Parameter storage: nil where nothing new is kept.
  func vault(of app: String, state: String, storage: StorageAccount? = nil) -> AppVault {
    let clock = clock
    return AppVault(
      app: app, path: state, ring: keyRing, storage: storage,
      environment: .init(
        now: { clock.wall().seconds }, nowNanoseconds: { clock.monotonic().value },
        random: Self.randomBytes))
  }

  /// The installed app and its handle, by id or origin name.
  func find(_ text: String) throws -> (app: InstalledApp, handle: AppHandle) {
    guard let app = registry.find(text), let handle = apps[app.id] else {
      throw HostError(
        .notFound, "app", "No app \(text) is installed. `bulkhead ps` lists those that are.")
    }
    return (app, handle)
  }

  /// One change to an app at a time.
  func changing<Value>(_ id: String, _ body: () async throws -> Value) async throws -> Value {
    guard apps.begin(id) else {
      throw HostError(
        .overloaded, "busy", "\(id) is being changed by another command. Try again shortly.")
    }
    defer { apps.finish(id) }
    return try await body()
  }
}
