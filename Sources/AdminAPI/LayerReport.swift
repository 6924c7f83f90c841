// SPDX-License-Identifier: Apache-2.0

/// One layer of the sandbox, or another need of the host, as this kernel has it.
public struct LayerReport: Codable, Sendable, Equatable {
  public enum State: String, Codable, Sendable, CaseIterable {
    /// Present and used.
    case active
    /// Missing; no app starts until it is there or the operator allows going without.
    case missing
    /// Missing or partial, and the operator allowed going without.
    case allowedWeaker
    /// Not needed for isolation; something is measured or limited less exactly.
    case degraded
  }

  /// A stable word, such as `seccomp`: what `--allow-weaker` takes.
  public var layer: String
  public var state: State
  /// What it protects or measures, and what was found.
  public var detail: String
  /// How to get it; nil where there is nothing to do.
  public var remedy: String?

  public init(layer: String, state: State, detail: String, remedy: String? = nil) {
    self.layer = layer
    self.state = state
    self.detail = detail
    self.remedy = remedy
  }
}
