// SPDX-License-Identifier: Apache-2.0
import Locks

/// Divides the app's storage among its databases: each may have what the others leave.
final class StorageQuota: Sendable {
  private struct State {
    var total: Int64
    var used: [String: Int64] = [:]
  }
  private let state: Lock<State>

  /// `total` in bytes; 0 is without bound.
  init(total: Int64) { state = Lock(State(total: total)) }

  /// The host says how much there is now, as other kinds of storage come and go.
  func set(total: Int64) { state.withLock { $0.total = total } }

  func note(_ database: String, bytes: Int64) { state.withLock { $0.used[database] = bytes } }
  func forget(_ database: String) { state.withLock { $0.used[database] = nil } }

  /// Pages a database may have in all. At least one, which SQLite needs to say that it is full.
  func pagesMax(for database: String, pageSize: Int) -> Int {
    state.withLock { state in
      guard state.total > 0 else { return Self.unbounded }
      let others = state.used.reduce(0) { $1.key == database ? $0 : $0 + $1.value }
      return Int(max(1, (state.total - others) / Int64(pageSize)))
    }
  }

  /// SQLite's own greatest number of pages, SQLITE_MAX_PAGE_COUNT.
  private static let unbounded = 1_073_741_823

  var used: Int64 { state.withLock { $0.used.values.reduce(0, +) } }

  /// What is left for all; nil is without bound.
  var free: Int64? {
    state.withLock { state in
      state.total > 0 ? max(0, state.total - state.used.values.reduce(0, +)) : nil
    }
  }
}
