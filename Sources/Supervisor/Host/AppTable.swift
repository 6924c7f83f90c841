// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The running host's apps, by id and by origin name. Read on every request.
final class AppTable: OriginTable {
  private struct State {
    var handles: [String: AppHandle] = [:]
    var origins: [String: AppOrigin] = [:]
    /// Ids of apps that are being installed, changed or removed: one such work at a time per app.
    var busy: Set<String> = []
    /// Ids of apps that had a limit when their runners were last told.
    var limited: Set<String> = []
  }

  private let state = Mutex(State())

  func origin(named name: String) -> AppOrigin? { state.withLock { $0.origins[name] } }
  subscript(id: String) -> AppHandle? { state.withLock { $0.handles[id] } }
  var all: [AppHandle] { state.withLock { Array($0.handles.values) } }
  var origins: [AppOrigin] {
    state.withLock { Array($0.origins.values) }.sorted { $0.name < $1.name }
  }

  /// Enters an app, or its new version; an origin name it had before is gone.
  func put(_ handle: AppHandle, origin: AppOrigin) {
    state.withLock { state in
      state.handles[handle.id] = handle
      for (name, old) in state.origins where old.appID == handle.id && name != origin.name {
        state.origins[name] = nil
      }
      state.origins[origin.name] = origin
    }
  }

  func remove(_ id: String) {
    state.withLock { state in
      state.handles[id] = nil
      for (name, old) in state.origins where old.appID == id { state.origins[name] = nil }
    }
  }

  /// Remembers which apps have limits; gives those that had.
  func exchangeLimited(_ ids: Set<String>) -> Set<String> {
    state.withLock { state in
      defer { state.limited = ids }
      return state.limited
    }
  }

  /// True if nobody else is changing the app; then `finish` must follow.
  func begin(_ id: String) -> Bool { state.withLock { $0.busy.insert(id).inserted } }
  func finish(_ id: String) { state.withLock { _ = $0.busy.remove(id) } }
}
