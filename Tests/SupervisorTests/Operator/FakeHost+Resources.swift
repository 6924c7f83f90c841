// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import struct Meter.PriceBookSource
import Foundation
import GuestAPI
import Supervisor
import Synchronization

extension FakeHost {
  func databases(_ app: String) async throws -> [DatabaseInfo] {
    [DatabaseInfo(name: "main", bytes: 8_192)]
  }
  func sql(
    _ app: String, database: String, _ request: SQLRequest
  ) async throws -> AsyncThrowingStream<SQLLine, any Error> {
    guard request.sql.hasPrefix("SELECT") || request.write else {
      throw HostError(
        .sql, "read_only", "The statement writes and was run read-only. Use --write.")
    }
    var lines: [SQLLine] = [
      .columns(["id", "title"]), .row([1, "first"]), .row([9_007_199_254_740_993, .null]),
      .row([.double(1.5), "say \"hi\""]), .end(SQLOutcome()),
    ]
    lines.reverse()
    let left = Mutex(lines)
    let breaksOff = request.sql.contains("broken")
    return AsyncThrowingStream {
      if breaksOff, left.withLock({ $0.count }) == 2 {
        throw HostError(.deadline, "sql", "The statement took too long.")
      }
      return left.withLock { $0.popLast() }
    }
  }
  func backUp(_ app: String, database: String, _ request: SQLBackupRequest) async throws
    -> SQLBackupReport
  { SQLBackupReport(file: request.file, bytes: 8_192) }
  func secrets(_ app: String) async throws -> [SecretInfo] {
    [SecretInfo(name: "smtp_password", version: nil, updatedAt: nil, required: true)]
  }
  func setSecret(_ app: String, name: String, _ value: SecretValue) async throws -> SecretInfo {
    SecretInfo(name: name, version: Data(base64Encoded: value.base64)?.count, updatedAt: Self.time)
  }
  func revealSecret(_ app: String, name: String) async throws -> SecretValue {
    SecretValue(base64: Data("hunter2".utf8).base64EncodedString())
  }
  func removeSecret(_ app: String, name: String) async throws {}
  func keys(_ app: String) async throws -> [KeyInfo] {
    [
      KeyInfo(
        name: "webhooks", algorithm: "ed25519", publicKeyBase64: "AAAA", publicKeyPEM: "-",
        version: 1, createdAt: Self.time)
    ]
  }
  func stats(_ app: String?) async throws -> [AppStats] {
    [
      AppStats(
        app: "org.example.journal", origin: "journal", time: Date(), cpuSeconds: 1,
        memoryBytes: 1_024, memoryLimitBytes: 2_048, processes: 1, storageBytes: 0,
        networkReceivedBytes: 0, networkSentBytes: 0, requests: 7)
    ]
  }
  func top(_ app: String) async throws -> AppTop {
    AppTop(
      stats: try await stats(nil)[0], state: .running, uptimeSeconds: 3, limits: Self.limits,
      budgets: [],
      processes: [
        AppProcess(
          pid: 7, parent: 1, role: "guest", name: "python3", state: "S", threads: 2,
          cpuSeconds: 0.5, memoryBytes: 1_024, startTicks: 99)
      ],
      requestDurations: .init(boundsSeconds: [1], counts: [2, 3], sumSeconds: 4.5))
  }
  func report(_ query: ReportQuery) async throws -> RenderedReport {
    RenderedReport(
      mediaType: "text/csv; charset=utf-8",
      text: "\(query.kind.rawValue),\(query.groupBy.rawValue)\r\n")
  }
  func limits(_ app: String) async throws -> LimitReport {
    LimitReport(app: app, asked: Self.limits, effective: Self.limits, budgets: [])
  }
  func changeLimits(_ app: String, _ change: LimitChange) async throws -> LimitReport {
    var limits = Self.limits
    limits.cpuCores = change.cpuCores ?? limits.cpuCores
    return LimitReport(
      app: app, asked: Self.limits, effective: limits, budgets: [change.budget].compactMap { $0 })
  }
  func rotateMasterKey() async throws { note("rotate master key") }
  func prices() async throws -> JSONValue { ["version": []] }
  func setPrices(_ source: PriceBookSource) async throws -> JSONValue {
    ["version": .array(source.version.map { ["number": .int(Int64($0.number))] })]
  }
  func metrics() async throws -> String { "# TYPE bulkhead_app_up gauge\n" }
}
