// SPDX-License-Identifier: Apache-2.0
import AdminAPI
import Foundation
import GuestAPI
import Manifest
import Meter
import Sandbox

extension Supervisor: AppOperations {
  package func version() async throws -> VersionReport {
    VersionReport(
      version: hostVersion, guestProtocol: [1], manifestFormat: AppManifest.format,
      pid: ProcessInfo.processInfo.processIdentifier, startedAt: startedAt,
      uptimeSeconds: Date().timeIntervalSince(startedAt), listen: baseURL,
      dataDirectory: configuration.dataDirectory)
  }

  package func doctor() async throws -> [AdminAPI.LayerReport] {
    let waived = Set(configuration.allowWeaker)
    return launcher.facts.layers.map { AdminAPI.LayerReport($0, waived: waived) } + [
      .dataDirectories
    ]
  }

  /// What the operator has to know of every app that runs.
  var weakerLayers: [String] {
    let waived = Set(configuration.allowWeaker)
    return launcher.facts.layers.filter {
      $0.state != .active || waived.contains($0.layer.rawValue)
    }
    .map(\.layer.rawValue)
  }

  package func review(_ source: PackageSource) async throws -> InstallReview {
    let manifest = try AppManifest(source.manifest)
    let installed = registry[manifest.app.id]
    let approved = Set(installed?.record.grants ?? [])
    return InstallReview(
      id: manifest.app.id, name: manifest.app.name, version: manifest.app.version,
      build: manifest.app.build, origin: manifest.app.origin,
      installedBuild: installed?.record.build, installedVersion: installed?.manifest.app.version,
      grants: manifest.grants.map {
        GrantSummary(
          key: $0.key, sentence: $0.sentence, sensitive: $0.isSensitive,
          new: !approved.contains($0.key))
      }, limits: LimitSummary(manifest.limits), warnings: warnings(for: manifest))
  }

  private func warnings(for manifest: AppManifest) -> [String] {
    let weaker = configuration.allowWeaker.map { "the host runs without \($0), as it was told" }
    return weaker
  }

  package func install(_ request: InstallRequest) async throws -> InstallReport {
    let manifest = try AppManifest(request.source.manifest)
    let id = manifest.app.id
    let missing = manifest.grants.map(\.key).filter { !request.approvedGrants.contains($0) }
    guard missing.isEmpty else {
      throw HostError(
        .permission, "grants",
        "These grants were not approved: \(missing.joined(separator: ", ")). "
          + "Approve them, or install with --yes.")
    }
    return try await changing(id) {
      let previous = registry[id]
      let installed = try await onQueue(storeQueue) { [registry] in
        try registry.install(
          from: request.source.directory, manifest: manifest, grants: request.approvedGrants)
      }
      let slower = await prepare(installed.app)
      try await takeIntoUse(installed)
      if let slower { apps[id]?.log.note(.installed, slower) }
      let dropped = previous?.record.version
      await onQueue(storeQueue) { [registry] in
        registry.pruneVersions(of: id, keeping: dropped)
      }
      return InstallReport(
        id: id, name: manifest.app.name, version: manifest.app.version,
        build: manifest.app.build, url: url(of: installed.app),
        replacedBuild: installed.previousBuild, warnings: warnings(for: manifest))
    }
  }

  /// What is done once so that no start has to do it.
  private func prepare(_ app: InstalledApp) async -> String? {
    guard app.manifest.run.runtime == .python else { return nil }
    return await starter.compile(spec(of: app))
  }

  private func takeIntoUse(_ installed: AppRegistry.Installed) async throws {
    let app = installed.app
    let what =
      "build \(app.record.build) (\(app.manifest.app.version)), \(installed.totals.files) entries, "
      + "\(installed.totals.bytes) bytes"
    guard let handle = apps[app.id] else {
      let handle = try enter(app)
      handle.log.note(.installed, "installed \(what)")
      starter.prepareNext(spec(of: app))
      return
    }
    apps.put(handle, origin: handle.origin(of: app))
    let spec = spec(of: app)
    meter.noteChange(app: app.id)
    handle.log.note(.upgraded, "installed \(what) over build \(installed.previousBuild ?? 0)")
    await replace(spec, of: handle)
  }

  /// Another version, or other limits: a running guest is restarted, and so is what waits for it.
  func replace(_ spec: GuestSpec, of handle: AppHandle) async {
    await starter.discardPrepared(app: handle.id)
    handle.sql.replace(spec: spec)
    handle.storage.set(limit: Int64(spec.limits.storageBytes))
    await handle.runner.replace(spec: spec)
    if registry[handle.id]?.record.isEnabled == true { starter.prepareNext(spec) }
  }

  func url(of app: InstalledApp) -> String {
    let port = gateway.localAddress?.port ?? configuration.listenPort
    return "http://\(app.manifest.app.origin).localhost:\(port)/"
  }

  package func uninstall(_ text: String, keepData: Bool) async throws -> UninstallReport {
    let (app, handle) = try find(text)
    return try await changing(app.id) {
      await handle.runner.stopNow(disable: true)
      handle.sql.guestLeft()
      await starter.discardPrepared(app: app.id)
      // Nobody writes any more to what is removed now.
      await processesEnded(of: app.id)
      apps.remove(app.id)
      await onQueue(meterQueue) { handle.gate.close() }
      logs.forget(app.id)
      let directory = app.directory
      let (freed, left) = try await onQueue(storeQueue) { [registry] in
        let path = keepData ? directory.versions : directory.path
        let freed = StorageSurvey.measure(path).bytes
        return (freed, try registry.uninstall(app.id, keepData: keepData))
      }
      // Last: while the app is in the registry, a survey counts it anew.
      meter.book.remove(app: app.id)
      launcher.forget(app: app.id)
      if !left.isEmpty {
        logger.warning(
          "not everything could be removed", metadata: ["left": "\(left.prefix(10))"])
      }
      return UninstallReport(
        id: app.id, name: app.manifest.app.name, keptData: keepData ? directory.path : nil,
        freedBytes: freed)
    }
  }

  package func start(_ text: String) async throws -> AppStatus {
    let (app, handle) = try find(text)
    return try await changing(app.id) {
      try await setEnabled(app.id, true)
      await handle.runner.startNow()
      return try running(app.id)
    }
  }

  package func stop(_ text: String) async throws -> AppStatus {
    let (app, handle) = try find(text)
    return try await changing(app.id) {
      try await setEnabled(app.id, false)
      await handle.runner.stopNow(disable: true)
      handle.sql.guestLeft()
      await starter.discardPrepared(app: app.id)
      return try status(of: app.id)
    }
  }

  package func restart(_ text: String) async throws -> AppStatus {
    let (app, handle) = try find(text)
    return try await changing(app.id) {
      try await setEnabled(app.id, true)
      await handle.runner.restartNow()
      return try running(app.id)
    }
  }

  private func setEnabled(_ id: String, _ isEnabled: Bool) async throws {
    guard registry[id]?.record.isEnabled != isEnabled else { return }
    _ = try await onQueue(storeQueue) { [registry] in
      try registry.update(id) { $0.isEnabled = isEnabled }
    }
  }

  /// The status of an app that was just told to run; an error if it does not.
  private func running(_ id: String) throws -> AppStatus {
    let status = try status(of: id)
    guard status.state == .running else {
      throw HostError(
        .upstream, "start_failed",
        "\(id) did not start: \(status.reason ?? "no reason is known"). "
          + "`bulkhead logs \(status.origin)` shows what it printed.")
    }
    return status
  }

  package func list() async throws -> [AppStatus] {
    try registry.all.compactMap { app in apps[app.id] == nil ? nil : try status(of: app.id) }
  }

  package func status(_ text: String) async throws -> AppStatus {
    try status(of: find(text).app.id)
  }

  package func inspect(_ text: String) async throws -> AppInspection {
    let app = try find(text).app
    return AppInspection(
      status: try status(of: app.id), manifest: app.manifest.json,
      grants: app.manifest.grants.map {
        GrantSummary(
          key: $0.key, sentence: $0.sentence, sensitive: $0.isSensitive,
          new: !app.record.grants.contains($0.key))
      }, limits: LimitSummary(app.effectiveLimits),
      directories: .init(
        root: app.directory.path, code: app.codeDirectory,
        data: app.manifest.run.hasDataDirectory ? app.directory.data : nil),
      layers: try await doctor(), installedAt: Date(rfc3339: app.record.installedAt))
  }
}

extension AdminAPI.LayerReport {
  /// How the bound on an app's files is kept. The same everywhere: it asks nothing of the file system.
  static var dataDirectories: Self {
    Self(
      layer: "storage", state: .degraded,
      detail:
        "data directories are counted every 0.1 to 10 s; a full one takes no more writes (RLIMIT_FSIZE), and "
        + "what is written between two counts comes on top. SQL databases are bounded to the page")
  }
}
