// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Foundation
import GuestAPI
import Manifest
import Supervisor
import Synchronization

/// A host that remembers what it was asked and holds one app; for tests of the admin server.
final class FakeHost: HostOperations {
  static let time = Date(timeIntervalSince1970: 1_772_366_400.25)

  private let asked = Mutex<[String]>([])
  /// Fed by a test to see followed lines arrive one by one.
  let liveLines = AsyncThrowingStream<LogLine, any Error>.makeStream()
  private let followers = Mutex(0)

  var calls: [String] { asked.withLock { $0 } }
  var followerCount: Int { followers.withLock { $0 } }

  func note(_ call: String) { asked.withLock { $0.append(call) } }

  private func found(_ app: String) throws -> AppStatus {
    guard app == "journal" || app == "org.example.journal" else {
      throw HostError(
        .notFound, "app", "There is no app \(app); bulkhead ps lists them.", log: "/secret/path")
    }
    return AppStatus(
      id: "org.example.journal", name: "Journal", origin: "journal",
      url: "http://journal.localhost:8080/", version: "1.4.0", build: 14, state: .running, pid: 42,
      uptimeSeconds: 3_725.5, restarts: 1, cpuSeconds: 12.5, memoryBytes: 50_331_648,
      memoryLimitBytes: 268_435_456, lastEvent: "oom", lastEventTime: Self.time,
      weakerLayers: ["landlock"])
  }

  static let limits = LimitSummary(
    cpuCores: 0.5, memoryBytes: 268_435_456, processes: 32, storageBytes: 1_073_741_824)

  func version() async throws -> VersionReport {
    VersionReport(
      version: "0.1.0", guestProtocol: [1], manifestFormat: 1, pid: 1, startedAt: Self.time,
      uptimeSeconds: 5, listen: "http://127.0.0.1:8080", dataDirectory: "/data")
  }
  func doctor() async throws -> [LayerReport] {
    [
      LayerReport(layer: "seccomp", state: .active, detail: "filters system calls"),
      LayerReport(
        layer: "landlock", state: .missing, detail: "confines paths",
        remedy: "boot a kernel with landlock in lsm="),
    ]
  }
  func events(_ query: LogQuery) async throws -> AsyncThrowingStream<HostEvent, any Error> {
    AsyncThrowingStream { continuation in
      continuation.yield(
        HostEvent(time: Self.time, app: "org.example.journal", kind: "oom", detail: "killed"))
      continuation.finish()
    }
  }
  func review(_ source: PackageSource) async throws -> InstallReview {
    let manifest = try AppManifest(source.manifest)
    note("review \(source.directory)")
    return InstallReview(
      id: manifest.app.id, name: manifest.app.name, version: manifest.app.version,
      build: manifest.app.build, origin: manifest.app.origin,
      grants: manifest.grants.map {
        GrantSummary(key: $0.key, sentence: $0.sentence, sensitive: $0.isSensitive, new: true)
      }, limits: Self.limits)
  }
  func install(_ request: InstallRequest) async throws -> InstallReport {
    let manifest = try AppManifest(request.source.manifest)
    guard Set(manifest.grants.map(\.key)).isSubset(of: request.approvedGrants) else {
      throw HostError(.permission, "grants", "A grant was not approved.")
    }
    note("install \(manifest.app.id)")
    return InstallReport(
      id: manifest.app.id, name: manifest.app.name, version: manifest.app.version,
      build: manifest.app.build, url: "http://journal.localhost:8080/")
  }
  func uninstall(_ app: String, keepData: Bool) async throws -> UninstallReport {
    let status = try found(app)
    note("uninstall \(status.id) keepData=\(keepData)")
    return UninstallReport(
      id: status.id, name: status.name, keptData: keepData ? "/data/kept" : nil, freedBytes: 4_096)
  }
  func start(_ app: String) async throws -> AppStatus {
    note("start \(app)")
    return try found(app)
  }
  func stop(_ app: String) async throws -> AppStatus {
    note("stop \(app)")
    return try found(app)
  }
  func restart(_ app: String) async throws -> AppStatus {
    note("restart \(app)")
    throw HostError(.overloaded, "busy", "The app is being upgraded.")
  }
  func list() async throws -> [AppStatus] { [try found("journal")] }
  func status(_ app: String) async throws -> AppStatus { try found(app) }
  func inspect(_ app: String) async throws -> AppInspection {
    AppInspection(
      status: try found(app), manifest: ["manifest": 1, "app": ["id": "org.example.journal"]],
      grants: [
        GrantSummary(key: "database:main", sentence: "keep data", sensitive: false, new: false)
      ],
      limits: Self.limits,
      directories: .init(root: "/data/apps/x", code: "/data/apps/x/versions/14", data: nil),
      layers: try await doctor(), installedAt: Self.time)
  }
  func logs(_ app: String, _ query: LogQuery) async throws -> AsyncThrowingStream<
    LogLine, any Error
  > {
    _ = try found(app)
    note("logs tail=\(query.tail.map(String.init) ?? "-") follow=\(query.follow)")
    if query.follow {
      followers.withLock { $0 += 1 }
      liveLines.continuation.onTermination = { [weak self] _ in
        self?.followers.withLock { $0 -= 1 }
      }
      return liveLines.stream
    }
    return AsyncThrowingStream { continuation in
      for text in ["one", "two \u{1b}[31m"] {
        continuation.yield(LogLine(time: Self.time, stream: .stdout, text: text))
      }
      continuation.finish()
    }
  }
}
