// SPDX-License-Identifier: Apache-2.0
import Logging
import Sandbox
import Synchronization

/// Keeps an empty, confined cell waiting for the next start of each process of an app (decision 8), so that a start does
/// not pay for namespaces, mounts and cgroups. A cell never serves two apps, nor one app twice.
final class ReadyCells: Sendable {
  /// From a launch to the building of the next cell: a guest on its way up needs the processor more.
  static let delay: Duration = .seconds(1)

  private struct State {
    /// By app; the newest build in progress or waiting for its delay.
    var builds: [String: Task<Void, Never>] = [:]
    /// By app; how often its cells were discarded.
    var epochs: [String: UInt64] = [:]
    var isClosed = false
  }

  private let launcher: Launcher
  private let logger: Logger
  private let state = Mutex(State())

  init(launcher: Launcher, logger: Logger) {
    self.launcher = launcher
    self.logger = logger
  }

  /// Changes with each `discard` of the app.
  func epoch(of app: String) -> UInt64 { state.withLock { $0.epochs[app] ?? 0 } }

  /// Builds what of `policies` does not wait yet, after `delay`. Replaces an earlier order for the app; one of an earlier
  /// epoch is for a cell nobody wants any more, and is dropped.
  func order(_ policies: [SandboxPolicy], app: String, after delay: Duration, epoch: UInt64) {
    state.withLock { state in
      guard !state.isClosed, epoch == state.epochs[app] ?? 0 else { return }
      let earlier = state.builds[app]
      earlier?.cancel()
      state.builds[app] = Task.detached(priority: .utility) { [self] in
        await earlier?.value
        do { try await Task.sleep(for: delay) } catch { return }
        for policy in policies where !Task.isCancelled {
          // Only speed is at stake: the next start builds its own and tells what is wrong, should it still be so.
          do throws(SandboxError) { try await launcher.prepare(policy) } catch {
            logger.info("no cell ahead of need", metadata: ["app": "\(app)", "reason": "\(error)"])
          }
        }
      }
    }
  }

  /// Ends the cells that wait for an app, and orders for more; returns when they are gone.
  func discard(app: String) async {
    let build = state.withLock { state in
      state.epochs[app, default: 0] += 1
      return state.builds.removeValue(forKey: app)
    }
    build?.cancel()
    await build?.value
    await launcher.discardPrepared(app: app)
  }

  /// The same for all apps, for good.
  func close() async {
    let apps = state.withLock { state in
      state.isClosed = true
      return Array(state.builds.keys)
    }
    await withTaskGroup(of: Void.self) { tasks in
      for app in apps { tasks.addTask { await self.discard(app: app) } }
    }
  }
}
