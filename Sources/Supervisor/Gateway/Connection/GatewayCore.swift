// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// What all connections of a gateway share.
final class GatewayCore: Sendable {
  let origins: any OriginTable
  let options: GatewayOptions
  let bounds: GatewayBounds
  let policy: ClientPolicy
  let hostName: HostName
  let assets: AssetStore
  let logger: Logger
  private let connections = Mutex(ConnectionCount())

  init(
    origins: any OriginTable, options: GatewayOptions, pool: NIOThreadPool, logger: Logger
  ) {
    self.origins = origins
    self.options = options
    self.bounds = options.bounds
    self.logger = logger
    policy = ClientPolicy(options)
    hostName = HostName(suffix: options.hostSuffix)
    assets = AssetStore(
      bounds: options.bounds, pool: pool, wallClock: options.wallClock)
  }

  /// Whether one more connection from an address is within the bounds; it is counted then.
  func admit(_ address: IPAddress, isTrusted: Bool) -> Bool {
    connections.withLock { count in
      count.admit(
        isTrusted ? nil : address.subscriber, total: bounds.connectionsMax,
        perAddress: bounds.connectionsPerAddressMax)
    }
  }

  func leave(_ address: IPAddress, isTrusted: Bool) {
    connections.withLock { $0.leave(isTrusted ? nil : address.subscriber) }
  }

  var connectionCount: Int { connections.withLock { $0.total } }
}

/// How many connections there are, in all and by address.
package struct ConnectionCount: Sendable {
  package init() {}

  package private(set) var total = 0
  private var byAddress: [IPAddress: Int] = [:]

  /// - Parameter address: nil for one that is not counted by itself.
  package mutating func admit(_ address: IPAddress?, total totalMax: Int, perAddress: Int) -> Bool {
    guard total < totalMax else { return false }
    if let address {
      let count = byAddress[address, default: 0]
      guard count < perAddress else { return false }
      byAddress[address] = count + 1
    }
    total += 1
    return true
  }

  package mutating func leave(_ address: IPAddress?) {
    total -= 1
    guard let address, let count = byAddress[address] else { return }
    byAddress[address] = count > 1 ? count - 1 : nil
  }
}
