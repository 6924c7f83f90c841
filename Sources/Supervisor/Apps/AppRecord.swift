// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Manifest

/// `app.json`: what the host decided about an installed app. Replaced as a whole, so that a crash leaves either the old or the new.
package struct AppRecord: Sendable, Equatable {
  /// The directory below `versions/` that is in use.
  package var version: String
  package var build: Int64
  /// False after `bulkhead stop`, until `start`.
  package var isEnabled: Bool
  /// What the operator lowered; nil where the manifest's own limit holds.
  package var memoryBytesMax: Int64?
  package var cpuMillicoresMax: Int64?
  package var processesMax: Int64?
  package var storageBytesMax: Int64?
  /// The grants the operator approved at install, as the manifest words them.
  package var grants: [String]
  /// RFC 3339.
  package var installedAt: String

  static let format: Int64 = 1

  package init(
    version: String, build: Int64, isEnabled: Bool, grants: [String], installedAt: String
  ) {
    self.version = version
    self.build = build
    self.isEnabled = isEnabled
    self.grants = grants
    self.installedAt = installedAt
  }

  package var json: JSONValue {
    func limit(_ value: Int64?) -> JSONValue { value.map { .int($0) } ?? .null }
    return [
      "format": .int(Self.format), "version": .string(version), "build": .int(build),
      "enabled": .bool(isEnabled), "grants": .array(grants.map { .string($0) }),
      "limits": [
        "memoryBytes": limit(memoryBytesMax), "cpuMillicores": limit(cpuMillicoresMax),
        "processes": limit(processesMax), "storageBytes": limit(storageBytesMax),
      ],
      "installedAt": .string(installedAt),
    ]
  }

  /// Nil for a record this version cannot read.
  package init?(_ json: JSONValue) {
    guard json["format"]?.int == Self.format, let version = json["version"]?.string,
      let build = json["build"]?.int, let isEnabled = json["enabled"]?.bool,
      let grants = json["grants"]?.array, let installedAt = json["installedAt"]?.string
    else { return nil }
    // One name below `versions/`, not a path.
    guard !version.isEmpty, !version.hasPrefix("."), !version.contains("/") else { return nil }
    self.init(
      version: version, build: build, isEnabled: isEnabled, grants: grants.compactMap(\.string),
      installedAt: installedAt)
    memoryBytesMax = json["limits"]?["memoryBytes"]?.int
    cpuMillicoresMax = json["limits"]?["cpuMillicores"]?.int
    processesMax = json["limits"]?["processes"]?.int
    storageBytesMax = json["limits"]?["storageBytes"]?.int
  }
}

/// One installed app: its manifest as it was checked at install, and the host's record of it.
package struct InstalledApp: Sendable {
  package var manifest: AppManifest
  package var record: AppRecord
  package var directory: AppDirectory

  package init(manifest: AppManifest, record: AppRecord, directory: AppDirectory) {
    self.manifest = manifest
    self.record = record
    self.directory = directory
  }

  package var id: String { manifest.app.id }
  package var codeDirectory: String { directory.code(record.version) }
  /// The directory of static files, if the app has one.
  package var assetRoot: String? { manifest.http.assets.map { "\(codeDirectory)/\($0)" } }
}
