// SPDX-License-Identifier: Apache-2.0

/// The kernel's accounting of apps, whatever its version: one directory per app with the limits,
/// below it one per process (guest, SQL worker) that says who used what.
public protocol CgroupHierarchy: Sendable {
  var source: ResourceUsage.Source { get }
  /// What a probe says about the `cgroup` and `cgroupKill` layers.
  var reports: [LayerReport] { get }
  /// Makes the app's directory if need be and sets its limits; cheap when they are as they were.
  func prepare(app: String, _ limits: Limits) throws(SandboxError)
  /// Makes the directory of one process of the app.
  func makeLeaf(app: String, instance: String) throws(SandboxError) -> CgroupPlacement
  /// Nil without a cgroup: the launcher then counts through `/proc`.
  func usage(app: String, instance: String) -> ResourceUsage?
  func usage(app: String) -> ResourceUsage?
  /// Who is in the leaf; nil without a cgroup.
  func processes(app: String, instance: String) -> [Int32]?
  /// Forks of the app refused so far; the kernel counts them where the bound is set.
  func processLimitHits(app: String) -> UInt64
  /// Kills everything in the leaf; false when that takes other means.
  func kill(app: String, instance: String) -> Bool
  /// True when the leaf is gone; false when it is still busy and worth another try.
  func removeLeaf(app: String, instance: String) -> Bool
  func remove(app: String)
  /// Kills and removes all that an earlier host with the same name left; returns their names.
  func sweep() -> [String]
}

/// No cgroup can be written: limits are per process only, figures come from `/proc`.
public struct NoCgroups: CgroupHierarchy {
  let reason: String
  let fix: String?

  public init(reason: String = "cgroups are not used", fix: String? = nil) {
    self.reason = reason
    self.fix = fix
  }

  public var source: ResourceUsage.Source { .proc }
  public var reports: [LayerReport] {
    [
      LayerReport(
        .cgroup, .weaker,
        "\(reason): memory is bounded per process (RLIMIT_DATA), cpu not at all, figures from /proc",
        fix: fix),
      LayerReport(.cgroupKill, .weaker, "the pid namespace ends with its first process instead"),
    ]
  }
  public func prepare(app: String, _ limits: Limits) throws(SandboxError) {}
  public func makeLeaf(app: String, instance: String) throws(SandboxError) -> CgroupPlacement {
    CgroupPlacement()
  }
  public func usage(app: String, instance: String) -> ResourceUsage? { nil }
  public func usage(app: String) -> ResourceUsage? { nil }
  public func processes(app: String, instance: String) -> [Int32]? { nil }
  public func processLimitHits(app: String) -> UInt64 { 0 }
  public func kill(app: String, instance: String) -> Bool { false }
  public func removeLeaf(app: String, instance: String) -> Bool { true }
  public func remove(app: String) {}
  public func sweep() -> [String] { [] }
}
