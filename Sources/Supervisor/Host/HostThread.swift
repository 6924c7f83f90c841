// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A thread for what blocks: it must sit neither on an event loop nor on the cooperative pool.
enum HostThread {
  static func start(named name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Foundation.Thread(block: body)
    thread.name = "bulkhead-\(name)"
    thread.start()
  }
}
