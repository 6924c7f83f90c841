// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Meter

/// Everything the host keeps in memory for one installed app.
final class AppHandle: Sendable {
  let id: String
  let runner: AppRunner
  let sql: SQLBroker
  let vault: AppVault
  let log: AppLog
  let traffic: TrafficMeter
  let calls: CallStatistics
  let gate: RequestGate
  let storage: StorageAccount

  init(
    id: String, runner: AppRunner, sql: SQLBroker, vault: AppVault, log: AppLog,
    traffic: TrafficMeter, calls: CallStatistics, gate: RequestGate, storage: StorageAccount
  ) {
    self.id = id
    self.runner = runner
    self.sql = sql
    self.vault = vault
    self.log = log
    self.traffic = traffic
    self.calls = calls
    self.gate = gate
    self.storage = storage
  }

  func origin(of app: InstalledApp) -> AppOrigin {
    AppOrigin(
      name: app.manifest.app.origin, appID: app.id, assetRoot: app.assetRoot,
      publicPaths: app.manifest.http.publicPaths, backend: runner, traffic: traffic)
  }
}
