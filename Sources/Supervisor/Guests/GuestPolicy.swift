// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Sandbox

/// Where the host's own programs and SDKs lie.
package struct Toolkit: Sendable, Equatable {
  /// The launcher, `SandboxLaunch`.
  package var launcher: String
  /// `SQLWorker`.
  package var sqlWorker: String
  /// Holds `python/` and `node/`; nil if no SDK was found.
  package var sdk: String?
}

/// From what an app is to what its processes may do. Pure: nothing is looked at, nothing is started.
struct GuestPolicy {
  let toolkit: Toolkit

  /// LIMIT: databases of one app, declared and made by it; the worker's `SQLLimits.databases`. One without any declared
  /// has no worker to make them in.
  static let databasesMax = 64

  static let searchPath = "/usr/local/bin:/usr/bin:/bin"

  func policy(
    for guest: GuestSpec, instance: String, allowWeaker: Set<Layer>
  ) -> SandboxPolicy {
    var binds = [Bind.code(guest.codeDirectory)]
    if guest.hasDataDirectory { binds.append(.data("\(guest.appDirectory)/data")) }
    binds += sdkBinds(guest.runtime)
    return SandboxPolicy(
      appID: guest.appID, instance: instance, arguments: guest.command,
      environment: environment(of: guest), workingDirectory: "/app", binds: binds,
      limits: limits(of: guest), profile: guest.runtime == "native" ? .native : .standard,
      development: guest.isDevelopment, uid: guest.uid, allowWeaker: allowWeaker)
  }

  /// Compiles a Python app's modules beside their sources, once at install, so that no start has to. The only process
  /// that ever sees an app's code writable; it reads that code and runs none of it.
  func compilePolicy(
    for guest: GuestSpec, instance: String, allowWeaker: Set<Layer>
  ) -> SandboxPolicy {
    SandboxPolicy(
      appID: guest.appID, instance: instance,
      arguments: [
        "python3", "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "/app",
      ],
      environment: ["PATH": Self.searchPath, "HOME": "/tmp", "LANG": "C.UTF-8"],
      workingDirectory: "/",
      binds: [Bind(source: guest.codeDirectory, path: "/app", writable: true)],
      limits: limits(of: guest), uid: guest.uid, allowWeaker: allowWeaker)
  }

  /// The worker sees the app's databases and migrations, its own program, and nothing else of the app.
  func sqlWorkerPolicy(
    for guest: GuestSpec, instance: String, allowWeaker: Set<Layer>
  ) -> SandboxPolicy {
    let binds = [
      Bind(source: toolkit.sqlWorker, path: "/bulkhead/SQLWorker", executable: true),
      Bind.code(guest.codeDirectory),
      Bind.data("\(guest.appDirectory)/sql", at: "/sql"),
    ]
    var limits = limits(of: guest)
    // Pages have their quota; a log comes on top, and must not keep a full database from deleting.
    limits.fileBytes = 2 * guest.limits.storageBytes + Self.logBytes
    return SandboxPolicy(
      appID: guest.appID, instance: instance, arguments: ["/bulkhead/SQLWorker"],
      environment: ["BULKHEAD_SQL_PLAN": sqlPlan(of: guest).text, "PATH": Self.searchPath],
      workingDirectory: "/", binds: binds, limits: limits, uid: guest.uid,
      allowWeaker: allowWeaker)
  }

  /// What a database's log may always have.
  private static let logBytes: UInt64 = 64 << 20

  private func sdkBinds(_ runtime: String) -> [Bind] {
    guard let sdk = toolkit.sdk else { return [] }
    switch runtime {
    case "python": return [.code("\(sdk)/python", at: "/bulkhead/sdk/python")]
    case "node": return [.code("\(sdk)/node", at: "/node_modules/@bulkhead/guest")]
    default: return []
    }
  }

  /// The author's variables, then ours: no manifest can say otherwise about what the host decides.
  private func environment(of guest: GuestSpec) -> [String: String] {
    var environment = [
      "PATH": Self.searchPath, "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8",
      "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
    ]
    environment.merge(guest.environment) { _, author in author }
    if guest.runtime == "python" {
      let own = environment["PYTHONPATH"].map { ":\($0)" } ?? ""
      environment["PYTHONPATH"] = "/bulkhead/sdk/python" + own
    }
    environment["BULKHEAD_FD"] = "3"
    environment["BULKHEAD_APP_ID"] = guest.appID
    environment["BULKHEAD_PROTOCOL"] = "1"
    if !guest.databases.isEmpty { environment["BULKHEAD_SQL_FD"] = "4" }
    if guest.hasDataDirectory { environment["BULKHEAD_DATA_DIR"] = "/data" }
    if guest.isDevelopment { environment["BULKHEAD_DEV"] = "1" }
    return environment
  }

  private func limits(of guest: GuestSpec) -> Limits {
    Limits(
      memoryBytes: guest.limits.memoryBytes, cpuCores: guest.limits.cpuCores,
      processes: UInt32(guest.limits.processes),
      scratchBytes: min(64 << 20, guest.limits.memoryBytes / 2),
      fileBytes: guest.limits.storageBytes)
  }

  private func sqlPlan(of guest: GuestSpec) -> JSONValue {
    [
      "directory": "/sql",
      "databases": .array(
        guest.databases.map { database in
          var entry = JSONObject([("name", .string(database.name))])
          if let migrations = database.migrations {
            entry["migrations"] = .string("/app/\(migrations)")
          }
          return .object(entry)
        }),
      // One byte is no storage at all; 0 would be storage without bound.
      "quotaBytes": .int(max(1, guest.sqlBytesMax ?? Int64(guest.limits.storageBytes))),
      "createMax": .int(Int64(Self.databasesMax - guest.databases.count)),
      "heapBytes": .int(Int64(guest.limits.memoryBytes / 4)), "temporary": "/tmp",
    ]
  }
}
