// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

import GuestAPI

/// Everything the host knows about one app.
public struct AppInspection: Codable, Sendable, Equatable {
  public struct Directories: Codable, Sendable, Equatable {
    /// All that the app owns.
    public var root: String
    /// The read-only code of the build that runs.
    public var code: String
    /// The private data directory; nil if the app has none.
    public var data: String?
    public init(root: String, code: String, data: String?) {
      self.root = root
      self.code = code
      self.data = data
    }
  }

  public var status: AppStatus
  /// Canonical: every default filled in.
  public var manifest: JSONValue
  public var grants: [GrantSummary]
  /// What the manifest asks for, lowered by the operator.
  public var limits: LimitSummary
  public var directories: Directories
  /// The sandbox of the app, layer by layer.
  public var layers: [LayerReport]
  public var installedAt: Date?

  public init(
    status: AppStatus, manifest: JSONValue, grants: [GrantSummary], limits: LimitSummary,
    directories: Directories, layers: [LayerReport], installedAt: Date? = nil
  ) {
    self.status = status
    self.manifest = manifest
    self.grants = grants
    self.limits = limits
    self.directories = directories
    self.layers = layers
    self.installedAt = installedAt
  }
}
