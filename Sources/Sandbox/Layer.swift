// SPDX-License-Identifier: Apache-2.0

/// One of the things that stand between an app and the host.
public enum Layer: String, Sendable, Codable, CaseIterable, Hashable {
  /// User, pid, mount, net, ipc and uts namespaces, all or none.
  case namespaces
  /// The system-call filter.
  case seccomp
  /// Mounts built detached, with their flags, before anyone can see them.
  case mounts
  /// A `/proc` of the cell's own that shows only its processes.
  case proc
  /// No user namespace can be made inside.
  case nestedNamespaces
  /// File and socket rules in the kernel's own security module.
  case landlock
  /// Memory, processor and process bounds, and figures, for an app as a whole.
  case cgroup
  /// A host uid per app.
  case dedicatedUser
  /// Ending everything in a cgroup with one write.
  case cgroupKill
  /// Reports of refused calls for developers.
  case userNotify

  /// Without a required layer no app starts, unless the operator allows it by name.
  public var isRequired: Bool {
    switch self {
    case .namespaces, .seccomp, .mounts, .nestedNamespaces: true
    case .proc, .landlock, .cgroup, .dedicatedUser, .cgroupKill, .userNotify: false
    }
  }

  /// Whether `--allow-weaker` can mean anything for it: without namespaces and mounts there is no
  /// cell to start.
  public var canBeWaived: Bool {
    switch self {
    case .namespaces, .mounts: false
    default: true
    }
  }
}

/// What a probe found out about one layer.
public struct LayerReport: Sendable, Codable, Equatable {
  public enum State: String, Sendable, Codable { case active, weaker, missing }

  public var layer: Layer
  public var state: State
  public var isRequired: Bool
  /// What was found, in a sentence.
  public var reason: String
  /// The command or setting that would make it active; nil when it is, or when nothing would.
  public var fix: String?

  public init(_ layer: Layer, _ state: State, _ reason: String, fix: String? = nil) {
    self.layer = layer
    self.state = state
    self.isRequired = layer.isRequired
    self.reason = reason
    self.fix = fix
  }
}
