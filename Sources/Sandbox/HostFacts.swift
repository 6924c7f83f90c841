// SPDX-License-Identifier: Apache-2.0

/// What a host offers, as found by ``KernelProbe``. A value: plans are made from it without looking
/// at the machine again.
public struct HostFacts: Sendable, Codable, Equatable {
  /// Effective uid and gid of the host process.
  public var uid: UInt32
  public var gid: UInt32
  /// True when the host may map other uids, open any bind and make idmapped mounts.
  public var isPrivileged: Bool
  /// 0 without Landlock.
  public var landlockABI: Int
  /// A fresh `/proc` with `subset=pid` can be mounted in a cell.
  public var hasFreshProc: Bool
  /// `user.max_user_namespaces` can be set to 0 inside.
  public var canForbidUserNamespaces: Bool
  public var hasUserNotify: Bool
  public var hasSeccomp: Bool
  public var layout: HostLayout
  /// Every layer, in the order of ``Layer/allCases``.
  public var layers: [LayerReport]

  public init(
    uid: UInt32, gid: UInt32, isPrivileged: Bool, landlockABI: Int, hasFreshProc: Bool,
    canForbidUserNamespaces: Bool, hasUserNotify: Bool, hasSeccomp: Bool, layout: HostLayout,
    layers: [LayerReport]
  ) {
    self.uid = uid
    self.gid = gid
    self.isPrivileged = isPrivileged
    self.landlockABI = landlockABI
    self.hasFreshProc = hasFreshProc
    self.canForbidUserNamespaces = canForbidUserNamespaces
    self.hasUserNotify = hasUserNotify
    self.hasSeccomp = hasSeccomp
    self.layout = layout
    self.layers = layers
  }

  public func report(_ layer: Layer) -> LayerReport? { layers.first { $0.layer == layer } }

  /// Required layers that are not active and that the operator has not waived.
  public func refusals(allowing waived: Set<Layer>) -> [LayerReport] {
    layers.filter {
      $0.isRequired && $0.state == .missing
        && !(waived.contains($0.layer) && $0.layer.canBeWaived)
    }
  }
}
