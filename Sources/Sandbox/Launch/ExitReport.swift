// SPDX-License-Identifier: Apache-2.0

/// How a sealed process ended, and what it used.
public struct ExitReport: Sendable, Codable, Equatable {
  public enum Outcome: Sendable, Codable, Equatable {
    case exited(code: Int32)
    case signaled(signal: Int32)
  }

  public var outcome: Outcome
  /// The kernel killed something in it because memory ran out.
  public var outOfMemory: Bool
  /// A fork was refused because of the process bound.
  public var processLimitHit: Bool
  /// Final figures of this process alone (not of the whole app).
  public var usage: ResourceUsage

  public init(
    outcome: Outcome, outOfMemory: Bool = false, processLimitHit: Bool = false, usage: ResourceUsage
  ) {
    self.outcome = outcome
    self.outOfMemory = outOfMemory
    self.processLimitHit = processLimitHit
    self.usage = usage
  }
}

extension ExitReport.Outcome {
  /// From a wait status.
  init(status: Int32) {
    let signal = status & 0x7F
    self = signal == 0 ? .exited(code: (status >> 8) & 0xFF) : .signaled(signal: signal)
  }
}
