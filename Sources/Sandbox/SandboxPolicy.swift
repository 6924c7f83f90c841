// SPDX-License-Identifier: Apache-2.0

/// What one sealed process may do. A value: it names no descriptor and touches nothing.
public struct SandboxPolicy: Sendable, Codable, Equatable {
  /// The app the process belongs to; names its cgroup. `[A-Za-z0-9._-]`, 1–128 bytes.
  public var appID: String
  /// Unique per launch; names the process's own cgroup. `[A-Za-z0-9._-]`, 1–64 bytes.
  public var instance: String
  /// argv. The first is looked up inside the sandbox: as it is with a slash, else along the
  /// `PATH` of `environment`.
  public var arguments: [String]
  /// The whole environment of the process; nothing is inherited.
  public var environment: [String: String]
  /// Absolute, inside the sandbox.
  public var workingDirectory: String
  /// What of the host is shown besides the runtime.
  public var binds: [Bind]
  /// The read-only view of the system. Computed from the host when nil.
  public var runtime: RuntimeView?
  public var limits: Limits
  public var profile: Profile
  /// Report refused system calls to ``SandboxedProcess/blockedCalls()``; answers stay the same.
  public var development: Bool
  /// Root mode: the host uid (and gid) of the app, used by no one else. Ignored for a plain user,
  /// whose own uid the app then has.
  public var uid: UInt32?
  /// Layers the operator explicitly does without.
  public var allowWeaker: Set<Layer>

  public init(
    appID: String, instance: String, arguments: [String], environment: [String: String] = [:],
    workingDirectory: String = "/", binds: [Bind] = [], runtime: RuntimeView? = nil,
    limits: Limits = Limits(), profile: Profile = .standard, development: Bool = false,
    uid: UInt32? = nil, allowWeaker: Set<Layer> = []
  ) {
    self.appID = appID
    self.instance = instance
    self.arguments = arguments
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.binds = binds
    self.runtime = runtime
    self.limits = limits
    self.profile = profile
    self.development = development
    self.uid = uid
    self.allowWeaker = allowWeaker
  }

  /// Which system calls the filter allows. A manifest can choose among these and no further.
  public enum Profile: String, Sendable, Codable, CaseIterable {
    /// Enough for CPython, Node, Deno, Go and the JVM.
    case standard
    /// Adds `sendfile`, without which Foundation in native Swift cannot copy a file.
    case native
  }
}

/// One directory or file of the host shown inside the sandbox. Never setuid, never a device.
public struct Bind: Sendable, Codable, Equatable {
  /// Absolute path on the host; links in it are resolved when the plan is made, not later.
  public var source: String
  /// Absolute path inside.
  public var path: String
  public var writable: Bool
  /// May files in it be run (and mapped executable)?
  public var executable: Bool
  /// Root mode: show files of the source's owner as the app's own (an idmapped mount), so that a
  /// root-owned 0700 directory can be read by the app's uid and by nobody else on the host.
  public var mapsOwner: Bool

  public init(
    source: String, path: String, writable: Bool = false, executable: Bool = false,
    mapsOwner: Bool = true
  ) {
    self.source = source
    self.path = path
    self.writable = writable
    self.executable = executable
    self.mapsOwner = mapsOwner
  }

  /// Code: readable and executable, never writable.
  public static func code(_ source: String, at path: String = "/app") -> Bind {
    Bind(source: source, path: path, executable: true)
  }

  /// Private data: writable, nothing in it can be run.
  public static func data(_ source: String, at path: String = "/data") -> Bind {
    Bind(source: source, path: path, writable: true)
  }
}
