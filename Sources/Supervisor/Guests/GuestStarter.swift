// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore

/// Starts an app's process and hands over its end of the socket. Production: `SandboxStarter`; tests: a fake.
package protocol GuestStarter: Sendable {
  func start(_ guest: GuestSpec) async throws(HostError) -> StartedGuest
}

/// Everything about one app that running it needs.
package struct GuestSpec: Sendable {
  package var appID: String
  package var name: String
  package var version: String
  package var build: Int64
  package var command: [String]
  package var runtime: String
  package var environment: [String: String]
  /// Directory of the app on the host: `apps/<id>`.
  package var appDirectory: String
  /// Read-only code of the version that runs.
  package var codeDirectory: String
  package var hasDataDirectory: Bool
  package var databases: [SQLDatabase]
  package var limits: GuestLimits
  package var maxConcurrency: Int
  package var startTimeout: TimeAmount
  /// Nil: never stopped for want of work.
  package var idleTimeout: TimeAmount?
  /// From `shutdown` to the kill.
  package var stopGrace: TimeAmount
  /// Blocked system calls are told in the log.
  package var isDevelopment: Bool
  /// The dedicated host uid when the host runs as root.
  package var uid: UInt32?
  /// What the app's databases may hold in all: its storage less what else it holds. Nil: all of its storage.
  package var sqlBytesMax: Int64?
}

/// One database of an app.
package struct SQLDatabase: Sendable, Equatable {
  package var name: String
  /// Directory of migrations in the app's code.
  package var migrations: String?

  package init(name: String, migrations: String? = nil) {
    self.name = name
    self.migrations = migrations
  }
}

package struct GuestLimits: Sendable, Equatable {
  package var cpuCores: Double
  package var memoryBytes: UInt64
  package var processes: Int
  package var storageBytes: UInt64
}

/// A process that has been started and its descriptors, which now belong to the receiver.
package struct StartedGuest: Sendable {
  package var process: any GuestProcess
  /// The host's end of the guest's socket.
  package var socket: CInt
  /// The host's end of the guest's own SQL socket, if it has one.
  package var sqlSocket: CInt?

  package init(process: any GuestProcess, socket: CInt, sqlSocket: CInt? = nil) {
    self.process = process
    self.socket = socket
    self.sqlSocket = sqlSocket
  }
}

/// A running sealed process.
package protocol GuestProcess: Sendable {
  var pid: Int32 { get }
  func kill()
  func waitForExit() async -> GuestExit
}

/// How a guest ended.
package struct GuestExit: Sendable, Equatable {
  package enum Cause: Sendable, Equatable {
    case exited(Int32)
    case signaled(Int32)
  }
  package var cause: Cause
  package var oomKilled = false
  package var processLimitHit = false

  package init(cause: Cause, oomKilled: Bool = false, processLimitHit: Bool = false) {
    self.cause = cause
    self.oomKilled = oomKilled
    self.processLimitHit = processLimitHit
  }

  package var description: String {
    let base =
      switch cause {
      case .exited(let code): "exited with code \(code)"
      case .signaled(let signal): "was ended by signal \(signal)"
      }
    return base + (oomKilled ? " (oom: over its memory limit)" : "")
      + (processLimitHit ? " (pids: over its process limit)" : "")
  }
}
