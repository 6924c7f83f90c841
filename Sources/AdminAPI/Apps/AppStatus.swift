// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// One app, as `ps` and `status` show it.
public struct AppStatus: Codable, Sendable, Equatable {
  public enum State: String, Codable, Sendable, CaseIterable {
    /// The guest answers calls.
    case running
    /// No process; started on the next call.
    case stopped
    /// The process was started and has not answered `initialize` yet.
    case starting
    /// Asked to end, and not gone yet.
    case stopping
    /// It crashed; the host waits before it tries again.
    case backoff
    /// It failed for good; `start` tries again.
    case failed
    /// Stopped by the operator: not started on demand.
    case disabled
  }

  public var id: String
  public var name: String
  /// The first label of its web address.
  public var origin: String
  /// Its web address.
  public var url: String
  public var version: String
  public var build: Int64
  public var state: State
  /// Why it is in that state, where there is more to say.
  public var reason: String?
  public var pid: Int32?
  /// Since the guest was started; nil if there is none.
  public var uptimeSeconds: Double?
  /// Restarts after crashes since the host started.
  public var restarts: Int
  /// Of the app's present processes, its SQL worker included, as the kernel counts it.
  public var cpuSeconds: Double
  /// Now, as the kernel counts it.
  public var memoryBytes: UInt64
  public var memoryLimitBytes: UInt64
  /// The last thing worth knowing, such as `oom`.
  public var lastEvent: String?
  public var lastEventTime: Date?
  /// Layers of the sandbox this app runs without, by the operator's choice.
  public var weakerLayers: [String]

  public init(
    id: String, name: String, origin: String, url: String, version: String, build: Int64,
    state: State, reason: String? = nil, pid: Int32? = nil, uptimeSeconds: Double? = nil,
    restarts: Int = 0, cpuSeconds: Double = 0, memoryBytes: UInt64 = 0,
    memoryLimitBytes: UInt64 = 0, lastEvent: String? = nil, lastEventTime: Date? = nil,
    weakerLayers: [String] = []
  ) {
    self.id = id
    self.name = name
    self.origin = origin
    self.url = url
    self.version = version
    self.build = build
    self.state = state
    self.reason = reason
    self.pid = pid
    self.uptimeSeconds = uptimeSeconds
    self.restarts = restarts
    self.cpuSeconds = cpuSeconds
    self.memoryBytes = memoryBytes
    self.memoryLimitBytes = memoryLimitBytes
    self.lastEvent = lastEvent
    self.lastEventTime = lastEventTime
    self.weakerLayers = weakerLayers
  }
}
