// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI
import struct Meter.PriceBookSource

/// Everything an operator can ask of the host. `AdminServer` is its only caller.
///
/// `app` is an app's id or its origin name. An implementation throws `HostError` (its `message` is shown to the
/// operator), `ManifestError`, or a `Problem` of its own; anything else is reported as an internal error.
package protocol HostOperations: AppOperations, ResourceOperations, AccountOperations {}

/// Apps: install, run, look at.
package protocol AppOperations: Sendable {
  func version() async throws -> VersionReport
  /// The layers of the sandbox and the other needs of the host, as this machine has them.
  func doctor() async throws -> [LayerReport]
  /// What happened on the host and, with `follow`, what happens until the reader leaves.
  func events(_ query: LogQuery) async throws -> AsyncThrowingStream<HostEvent, any Error>

  /// What `install` would do; changes nothing.
  func review(_ source: PackageSource) async throws -> InstallReview
  func install(_ request: InstallRequest) async throws -> InstallReport
  func uninstall(_ app: String, keepData: Bool) async throws -> UninstallReport

  func start(_ app: String) async throws -> AppStatus
  func stop(_ app: String) async throws -> AppStatus
  func restart(_ app: String) async throws -> AppStatus

  /// Every app, sorted by id.
  func list() async throws -> [AppStatus]
  func status(_ app: String) async throws -> AppStatus
  func inspect(_ app: String) async throws -> AppInspection
  /// The kept lines and, with `follow`, new ones until the reader leaves.
  func logs(_ app: String, _ query: LogQuery) async throws -> AsyncThrowingStream<
    LogLine, any Error
  >
}

/// What apps keep on the host: databases, secrets, keys.
package protocol ResourceOperations: Sendable {
  func databases(_ app: String) async throws -> [DatabaseInfo]
  /// The answer as it comes: a reader that waits holds the statement up, and nothing is gathered.
  func sql(
    _ app: String, database: String, _ request: SQLRequest
  ) async throws -> AsyncThrowingStream<SQLLine, any Error>
  func backUp(_ app: String, database: String, _ request: SQLBackupRequest) async throws
    -> SQLBackupReport

  func secrets(_ app: String) async throws -> [SecretInfo]
  func setSecret(_ app: String, name: String, _ value: SecretValue) async throws -> SecretInfo
  /// Audited: the operator reads a secret in the clear.
  func revealSecret(_ app: String, name: String) async throws -> SecretValue
  func removeSecret(_ app: String, name: String) async throws

  func keys(_ app: String) async throws -> [KeyInfo]
  /// Seals every app's secrets and keys with a new master key, while apps go on.
  func rotateMasterKey() async throws
}

/// What apps use, and what holds them back.
package protocol AccountOperations: Sendable {
  /// The counters of every app, or of one, as they are now.
  func stats(_ app: String?) async throws -> [AppStats]
  /// One app's processes, counters and limits, as they are now.
  func top(_ app: String) async throws -> AppTop
  func report(_ query: ReportQuery) async throws -> RenderedReport
  func limits(_ app: String) async throws -> LimitReport
  func changeLimits(_ app: String, _ change: LimitChange) async throws -> LimitReport
  /// The price book in force, as JSON in the shape it was written.
  func prices() async throws -> JSONValue
  func setPrices(_ source: PriceBookSource) async throws -> JSONValue
  /// Prometheus text.
  func metrics() async throws -> String
}
