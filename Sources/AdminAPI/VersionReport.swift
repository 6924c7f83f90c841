// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The running host.
public struct VersionReport: Codable, Sendable, Equatable {
  public var version: String
  /// Versions of the guest protocol it speaks.
  public var guestProtocol: [Int]
  public var manifestFormat: Int
  public var pid: Int32
  public var startedAt: Date
  public var uptimeSeconds: Double
  /// Where apps are served, such as `http://127.0.0.1:8080`.
  public var listen: String
  public var dataDirectory: String

  public init(
    version: String, guestProtocol: [Int], manifestFormat: Int, pid: Int32, startedAt: Date,
    uptimeSeconds: Double, listen: String, dataDirectory: String
  ) {
    self.version = version
    self.guestProtocol = guestProtocol
    self.manifestFormat = manifestFormat
    self.pid = pid
    self.startedAt = startedAt
    self.uptimeSeconds = uptimeSeconds
    self.listen = listen
    self.dataDirectory = dataDirectory
  }
}
