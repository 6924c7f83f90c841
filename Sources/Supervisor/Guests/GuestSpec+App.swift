// SPDX-License-Identifier: Apache-2.0
import Manifest
import NIOCore

extension GuestSpec {
  /// What running an installed app needs: its manifest, lowered by what the operator set.
  package init(_ app: InstalledApp, uid: UInt32?, isDevelopment: Bool) {
    let manifest = app.manifest
    let run = manifest.run
    var environment: [String: String] = [:]
    for variable in run.environment { environment[variable.name] = variable.value }
    self.init(
      appID: app.id, name: manifest.app.name, version: manifest.app.version,
      build: manifest.app.build, command: run.command, runtime: run.runtime.rawValue,
      environment: environment, appDirectory: app.directory.path,
      codeDirectory: app.codeDirectory, hasDataDirectory: run.hasDataDirectory,
      databases: manifest.databases.map { SQLDatabase(name: $0.name, migrations: $0.migrations) },
      limits: app.effectiveLimits, maxConcurrency: run.concurrencyMax,
      startTimeout: .milliseconds(run.startTimeout.milliseconds),
      idleTimeout: run.idleTimeout.map { .milliseconds($0.milliseconds) },
      stopGrace: .milliseconds(run.stopTimeout.milliseconds), isDevelopment: isDevelopment,
      uid: uid,
      sqlBytesMax: nil)
  }
}

extension InstalledApp {
  /// The manifest's limits, or the operator's where they are lower.
  package var effectiveLimits: GuestLimits {
    func lower(_ asked: Int64, _ set: Int64?) -> Int64 { set.map { min($0, asked) } ?? asked }
    let limits = manifest.limits
    return GuestLimits(
      cpuCores: Double(lower(Int64(limits.cpuMillicores), record.cpuMillicoresMax)) / 1_000,
      memoryBytes: UInt64(lower(limits.memory.bytes, record.memoryBytesMax)),
      processes: Int(lower(Int64(limits.processes), record.processesMax)),
      storageBytes: UInt64(lower(limits.storage.bytes, record.storageBytesMax)))
  }
}
