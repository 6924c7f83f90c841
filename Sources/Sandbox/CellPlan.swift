// SPDX-License-Identifier: Apache-2.0
import CHostShims

/// How a cell is built and confined: everything that does not depend on which command runs in it.
///
/// Two launches with equal cell plans can use cells built ahead of need.
package struct CellPlan: Sendable, Equatable {
  package var identity: Identity
  var hostname = "app"
  package var cgroup = CgroupPlacement()
  package var steps: [Step] = []
  package var forbidsUserNamespaces = true
  package var limits: [ResourceLimit] = []
  package var landlock: LandlockRules?
  /// The compiled filter as production has it; nil only when the layer was waived.
  package var filter: [FilterInstruction]?
  var reportsBlockedCalls = false

  package struct Identity: Sendable, Equatable {
    package var insideUID: UInt32 = 1000
    package var insideGID: UInt32 = 1000
    package var outsideUID: UInt32
    package var outsideGID: UInt32
    package var isPrivileged: Bool
  }

  /// One thing made in the new root, in order. Paths inside are relative to it.
  package enum Step: Sendable, Equatable {
    case directory(String, mode: UInt32 = 0o755)
    case link(target: String, path: String)
    case file(String, content: String)
    case tmpfs(String, bytes: UInt64, inodes: UInt64, mode: UInt32)
    case bind(source: String, path: String, MountAttributes, kind: BindKind, mapsOwner: Bool)
    case proc(options: String)
  }

  package enum BindKind: UInt32, Sendable { case directory = 0, file, device }

  package struct MountAttributes: OptionSet, Sendable, Equatable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package static let readOnly = MountAttributes(rawValue: 0x1)
    package static let noSetuid = MountAttributes(rawValue: 0x2)
    package static let noDevices = MountAttributes(rawValue: 0x4)
    package static let noExecute = MountAttributes(rawValue: 0x8)
  }

  /// The CELL plan in the bytes of `bh_launch.h`.
  package func encoded() -> [UInt8] {
    var writer = PlanWriter()
    writer.record(BH_REC_IDENTITY) {
      $0.value(
        bh_identity(
          inside_uid: identity.insideUID, outside_uid: identity.outsideUID,
          inside_gid: identity.insideGID, outside_gid: identity.outsideGID,
          privileged: identity.isPrivileged ? 1 : 0, pad: 0))
    }
    writer.record(BH_REC_HOSTNAME, hostname)
    if let path = cgroup.into { writer.record(BH_REC_CGROUP_INTO, path) }
    for path in cgroup.joins { writer.record(BH_REC_CGROUP_PROCS, path) }
    for path in cgroup.removes { writer.record(BH_REC_CGROUP_REMOVE, path) }
    for path in cgroup.parents { writer.record(BH_REC_CGROUP_PARENT, path) }
    if forbidsUserNamespaces { writer.record(BH_REC_NO_USER_NAMESPACES) { _ in } }
    for step in steps { step.write(to: &writer) }
    writeConfinement(to: &writer)
    return writer.bytes
  }

  private func writeConfinement(to writer: inout PlanWriter) {
    writer.record(BH_REC_OPTIONS) {
      $0.value(
        bh_options(
          notify: reportsBlockedCalls && filter != nil ? 1 : 0, skip_filter: filter == nil ? 1 : 0,
          skip_landlock: landlock == nil ? 1 : 0, pad: 0))
    }
    for limit in limits {
      writer.record(BH_REC_RLIMIT) {
        $0.value(
          bh_rlimit(
            resource: limit.resource, pad: 0, soft: limit.soft ?? limit.bound, hard: limit.bound))
      }
    }
    landlock?.write(to: &writer)
    guard let filter else { return }
    writer.record(BH_REC_FILTER) { writer in
      for instruction in reportsBlockedCalls ? SyscallFilter.reporting(filter) : filter {
        writer.value(instruction)
      }
    }
  }

  /// The step a report's record index means, for the error message.
  func describe(record index: Int) -> String {
    let before =
      2 + (cgroup.into == nil ? 0 : 1) + cgroup.joins.count + cgroup.removes.count
      + cgroup.parents.count
      + (forbidsUserNamespaces ? 1 : 0)
    let position = index - before
    guard steps.indices.contains(position) else { return "" }
    switch steps[position] {
    case .directory(let path, _), .link(_, let path), .file(let path, _),
      .tmpfs(let path, _, _, _):
      return "/" + path
    case .bind(let source, let path, _, _, _): return "\(source) at /\(path)"
    case .proc: return "/proc"
    }
  }
}

extension CellPlan.Step {
  func write(to writer: inout PlanWriter) {
    switch self {
    case .directory(let path, let mode):
      writer.record(BH_REC_DIRECTORY) {
        $0.value(bh_mode(mode: mode, pad: 0))
        $0.text(path)
      }
    case .link(let target, let path):
      writer.record(BH_REC_SYMLINK) {
        $0.text(target)
        $0.text(path)
      }
    case .file(let path, let content):
      writer.record(BH_REC_FILE) {
        $0.text(path)
        $0.text(content)
      }
    case .tmpfs(let path, let bytes, let inodes, let mode):
      writer.record(BH_REC_TMPFS) {
        $0.value(bh_tmpfs(bytes: bytes, inodes: inodes, mode: mode, executable: 0))
        $0.text(path)
      }
    case .bind(let source, let path, let attributes, let kind, let mapsOwner):
      writer.record(BH_REC_BIND) {
        $0.value(
          bh_bind(
            attributes: attributes.rawValue, kind: kind.rawValue, map_owner: mapsOwner ? 1 : 0))
        $0.text(source)
        $0.text(path)
      }
    case .proc(let options): writer.record(BH_REC_PROC, options)
    }
  }
}

/// Where the kernel is told to count and bound a process.
public struct CgroupPlacement: Sendable, Equatable {
  /// Cgroup v2 directory entered at birth.
  public var into: String?
  /// `cgroup.procs` files (v1) the pid is written to.
  public var joins: [String] = []
  /// Directories to remove afterwards, innermost first.
  public var removes: [String] = []
  /// Directories above them, which go with the last of their children when the host is gone.
  public var parents: [String] = []

  public init(
    into: String? = nil, joins: [String] = [], removes: [String] = [], parents: [String] = []
  ) {
    self.into = into
    self.joins = joins
    self.removes = removes
    self.parents = parents
  }
}
