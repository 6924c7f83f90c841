// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Cells built ahead of need, waiting for a command.
final class CellPool: Sendable {
  /// Equal keys mean: a cell built for one is exactly what the other would build.
  struct Key: Sendable, Equatable {
    var appID: String
    /// Without its cgroup, which differs from launch to launch.
    var plan: CellPlan
    /// What the bound paths were: a directory replaced since is another one.
    var files: [FileIdentity]
  }

  /// LIMIT: each costs two small processes and a set of namespaces, some 300 KB of kernel memory.
  static let countMax = 16

  private let waiting = Mutex<[(key: Key, cell: Cell)]>([])

  /// The oldest ready one with this key, which is then the caller's.
  func take(_ key: Key) -> Cell? {
    waiting.withLock { waiting in
      guard let index = waiting.firstIndex(where: { $0.cell.isReady && $0.key == key }) else {
        return nil
      }
      return waiting.remove(at: index).cell
    }
  }

  /// Whether a ready one waits.
  func holds(_ key: Key) -> Bool {
    waiting.withLock { $0.contains { $0.cell.isReady && $0.key == key } }
  }

  /// Returns the cells that had to make room, for the caller to end.
  func put(_ cell: Cell, _ key: Key) -> [Cell] {
    waiting.withLock { waiting in
      // Of one app and kind one is enough, and what no longer is ready never will be.
      var dropped = waiting.filter { !$0.cell.isReady }
      waiting.removeAll { !$0.cell.isReady }
      waiting.append((key, cell))
      if waiting.count(where: { $0.key == key }) > 1,
        let index = waiting.firstIndex(where: { $0.key == key })
      {
        dropped.append(waiting.remove(at: index))
      }
      while waiting.count > Self.countMax { dropped.append(waiting.removeFirst()) }
      return dropped.map(\.cell)
    }
  }

  func remove(app appID: String) -> [Cell] {
    waiting.withLock { waiting in
      let found = waiting.filter { $0.key.appID == appID }
      waiting.removeAll { $0.key.appID == appID }
      return found.map(\.cell)
    }
  }

  func removeAll() -> [Cell] {
    waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting.map(\.cell)
    }
  }
}
