// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A host uid for each app, used by nobody else, when the host runs as root.
///
/// It lives as long as the host: files on disk belong to the host's own user and are shown to the app through
/// idmapped mounts, and nothing of an earlier run is left by the time this one starts (`Launcher.sweep`).
final class UIDAllocator: Sendable {
  /// Above what distributions and systemd give out (systemd.io/UIDS-GIDS: 524288 on is for containers, up to 1879048191).
  static let first: UInt32 = 1_500_000_000
  static let last: UInt32 = 1_500_999_999

  private let state = Mutex<(next: UInt32, byApp: [String: UInt32])>((first, [:]))
  private let isRoot: Bool

  init(isRoot: Bool) { self.isRoot = isRoot }

  /// Nil for a plain user: an app then runs as that user.
  func uid(of app: String) -> UInt32? {
    guard isRoot else { return nil }
    return state.withLock { state in
      if let known = state.byApp[app] { return known }
      let uid = state.next
      // A million installs in one run of the host; then the numbers start again behind the living.
      state.next = uid == Self.last ? Self.first : uid + 1
      state.byApp[app] = uid
      return uid
    }
  }
}
