// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Foundation

/// A thread for what blocks: it must sit neither on an event loop nor on the cooperative pool.
enum HostThread {
  static func start(named name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Foundation.Thread {
      // What ps and /proc show, at most 15 bytes: Foundation names only its own object.
      _ = bh_name_thread(String(name.prefix(15)))
      body()
    }
    thread.start()
  }
}
