// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What one app uses now: the counters that rates are made of.
public struct AppStats: Codable, Sendable, Equatable {
  public var app: String
  public var origin: String
  /// When the counters were read.
  public var time: Date
  public var cpuSeconds: Double
  public var memoryBytes: UInt64
  public var memoryLimitBytes: UInt64
  public var processes: Int
  public var storageBytes: UInt64
  public var networkReceivedBytes: UInt64
  public var networkSentBytes: UInt64
  public var requests: UInt64
  /// Calls of the app to the host.
  public var calls: UInt64
  /// Times the app failed, whatever the reason.
  public var restarts: UInt64
  /// Processes of the app that the kernel killed for memory.
  public var oomKills: UInt64
  /// Refused system calls; counted in development mode only.
  public var blockedCalls: UInt64

  public init(
    app: String, origin: String, time: Date, cpuSeconds: Double, memoryBytes: UInt64,
    memoryLimitBytes: UInt64, processes: Int, storageBytes: UInt64, networkReceivedBytes: UInt64,
    networkSentBytes: UInt64, requests: UInt64, calls: UInt64 = 0, restarts: UInt64 = 0,
    oomKills: UInt64 = 0, blockedCalls: UInt64 = 0
  ) {
    self.app = app
    self.origin = origin
    self.time = time
    self.cpuSeconds = cpuSeconds
    self.memoryBytes = memoryBytes
    self.memoryLimitBytes = memoryLimitBytes
    self.processes = processes
    self.storageBytes = storageBytes
    self.networkReceivedBytes = networkReceivedBytes
    self.networkSentBytes = networkSentBytes
    self.requests = requests
    self.calls = calls
    self.restarts = restarts
    self.oomKills = oomKills
    self.blockedCalls = blockedCalls
  }
}

/// Which report, of what, in which form.
public struct ReportQuery: Codable, Sendable, Equatable {
  public enum Kind: String, Codable, Sendable, CaseIterable { case usage, cost }
  public enum Grouping: String, Codable, Sendable, CaseIterable {
    case app, day, hour, meter, destination
  }
  public enum Format: String, Codable, Sendable, CaseIterable { case table, json, csv, html }

  public var kind: Kind
  /// Nil for all apps.
  public var app: String?
  public var groupBy: Grouping
  /// Inclusive; nil for the start of this month.
  public var since: Date?
  /// Exclusive; nil for now.
  public var until: Date?
  public var format: Format

  public init(
    kind: Kind, app: String? = nil, groupBy: Grouping = .app, since: Date? = nil,
    until: Date? = nil, format: Format = .table
  ) {
    self.kind = kind
    self.app = app
    self.groupBy = groupBy
    self.since = since
    self.until = until
    self.format = format
  }
}

/// A report, ready to print.
public struct RenderedReport: Codable, Sendable, Equatable {
  public var mediaType: String
  public var text: String
  public init(mediaType: String, text: String) {
    self.mediaType = mediaType
    self.text = text
  }
}
