// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The master keys as every store of the host sees them. A rotation changes them under running apps.
package final class KeyRing: Sendable {
  private let ring: Mutex<MasterKeyRing>

  package init(_ ring: MasterKeyRing) { self.ring = Mutex(ring) }

  package var now: MasterKeyRing { ring.withLock { $0 } }
  package func replace(with ring: MasterKeyRing) { self.ring.withLock { $0 = ring } }
}
