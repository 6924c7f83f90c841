// SPDX-License-Identifier: Apache-2.0

import GuestAPI

/// A package on the host's file system, and what its manifest says.
public struct PackageSource: Codable, Sendable, Equatable {
  /// Absolute path of the package's directory, readable by the host.
  public var directory: String
  /// The manifest, as the tool read it from `bulkhead.toml`; the host checks it again.
  public var manifest: JSONValue

  public init(directory: String, manifest: JSONValue) {
    self.directory = directory
    self.manifest = manifest
  }
}

/// A permission in an operator's words.
public struct GrantSummary: Codable, Sendable, Equatable {
  /// `kind:subject`; what an approval names.
  public var key: String
  public var sentence: String
  /// Lets data leave the host, or strangers in.
  public var sensitive: Bool
  /// Not yet approved for the version that is installed now.
  public var new: Bool

  public init(key: String, sentence: String, sensitive: Bool, new: Bool) {
    self.key = key
    self.sentence = sentence
    self.sensitive = sensitive
    self.new = new
  }
}

/// What an app may use at most.
public struct LimitSummary: Codable, Sendable, Equatable {
  public var cpuCores: Double
  public var memoryBytes: Int64
  public var processes: Int
  public var storageBytes: Int64

  public init(cpuCores: Double, memoryBytes: Int64, processes: Int, storageBytes: Int64) {
    self.cpuCores = cpuCores
    self.memoryBytes = memoryBytes
    self.processes = processes
    self.storageBytes = storageBytes
  }
}

/// What an installation would do: shown to the operator before it is done.
public struct InstallReview: Codable, Sendable, Equatable {
  public var id: String
  public var name: String
  public var version: String
  public var build: Int64
  public var origin: String
  /// The build that is installed now; nil for a new app.
  public var installedBuild: Int64?
  public var installedVersion: String?
  public var grants: [GrantSummary]
  public var limits: LimitSummary
  /// What the operator should know: a secret to set, a layer of the sandbox that is missing.
  public var warnings: [String]

  public init(
    id: String, name: String, version: String, build: Int64, origin: String,
    installedBuild: Int64? = nil, installedVersion: String? = nil, grants: [GrantSummary],
    limits: LimitSummary, warnings: [String] = []
  ) {
    self.id = id
    self.name = name
    self.version = version
    self.build = build
    self.origin = origin
    self.installedBuild = installedBuild
    self.installedVersion = installedVersion
    self.grants = grants
    self.limits = limits
    self.warnings = warnings
  }
}

/// Install this package; the operator has agreed to these grants.
public struct InstallRequest: Codable, Sendable, Equatable {
  public var source: PackageSource
  /// Keys of grants. One that the manifest asks for and that is missing here refuses the installation.
  public var approvedGrants: [String]

  public init(source: PackageSource, approvedGrants: [String]) {
    self.source = source
    self.approvedGrants = approvedGrants
  }
}

/// What was installed.
public struct InstallReport: Codable, Sendable, Equatable {
  public var id: String
  public var name: String
  public var version: String
  public var build: Int64
  public var url: String
  /// The build that was replaced; nil for a new app.
  public var replacedBuild: Int64?
  public var warnings: [String]

  public init(
    id: String, name: String, version: String, build: Int64, url: String,
    replacedBuild: Int64? = nil, warnings: [String] = []
  ) {
    self.id = id
    self.name = name
    self.version = version
    self.build = build
    self.url = url
    self.replacedBuild = replacedBuild
    self.warnings = warnings
  }
}

/// What was removed.
public struct UninstallReport: Codable, Sendable, Equatable {
  public var id: String
  public var name: String
  /// Where the app's data stays; nil if it was deleted.
  public var keptData: String?
  public var freedBytes: Int64

  public init(id: String, name: String, keptData: String?, freedBytes: Int64) {
    self.id = id
    self.name = name
    self.keptData = keptData
    self.freedBytes = freedBytes
  }
}
