// SPDX-License-Identifier: Apache-2.0
import Glibc

/// policy + host facts → exactly what the launcher will do. Pure: no system call is made here.
package struct LaunchPlan: Sendable, Equatable {
  package var cell: CellPlan
  package var start: StartPlan

  /// - Parameters:
  ///   - sources: resolved host path of each bind, in the order of `policy.binds`.
  ///   - descriptors: numbers inside, in the order handed over.
  package init(
    _ policy: SandboxPolicy, facts: HostFacts, sources: [ResolvedBind],
    descriptors: [UInt32], filter: [FilterInstruction]?, hasCgroup: Bool
  ) throws(SandboxError) {
    try policy.validate()
    let runtime = policy.runtime ?? .standard(facts.layout)
    var root = RootBuilder()
    root.addRuntime(runtime)
    root.addSystemFiles(uid: 1000)
    root.addDevices(sharedMemoryBytes: policy.limits.sharedMemoryBytes)
    root.addTemporary(bytes: policy.limits.scratchBytes)
    for bind in sources { try root.add(bind) }
    let hasProc = facts.hasFreshProc
    root.addProc(mounted: hasProc)
    let uid = facts.isPrivileged ? (policy.uid ?? facts.uid) : facts.uid
    cell = CellPlan(
      identity: .init(
        outsideUID: uid, outsideGID: facts.isPrivileged ? (policy.uid ?? facts.gid) : facts.gid,
        isPrivileged: facts.isPrivileged),
      steps: root.steps,
      forbidsUserNamespaces: facts.canForbidUserNamespaces
        && !policy.allowWeaker.contains(.nestedNamespaces),
      limits: policy.limits.resourceLimits(hasCgroup: hasCgroup),
      landlock: policy.allowWeaker.contains(.landlock)
        ? nil
        : LandlockRules(
          abi: facts.landlockABI,
          executable: runtime.directories + sources.filter { $0.bind.executable }.map(\.bind.path),
          readable: ["/"],
          writable: ["/tmp", "/dev/shm"] + sources.filter { $0.bind.writable }.map(\.bind.path),
          devices: RootBuilder.devices.map { "/dev/\($0)" }),
      filter: filter, reportsBlockedCalls: policy.development && facts.hasUserNotify)
    start = StartPlan(
      arguments: policy.arguments,
      environment: policy.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" },
      workingDirectory: policy.workingDirectory,
      search: (policy.environment["PATH"] ?? Self.defaultPath).split(separator: ":").map(
        String.init),
      descriptors: descriptors)
  }

  static let defaultPath = "/usr/local/bin:/usr/bin:/bin"
}

/// A bind whose source was looked at: links resolved, kind known.
package struct ResolvedBind: Sendable, Equatable {
  package var bind: Bind
  package var source: String
  package var isDirectory: Bool
  /// Which file it was: a path can come to mean another one.
  package var identity = FileIdentity()

  package init(
    bind: Bind, source: String, isDirectory: Bool, identity: FileIdentity = FileIdentity()
  ) {
    self.bind = bind
    self.source = source
    self.isDirectory = isDirectory
    self.identity = identity
  }
}

/// Device and inode number of a file.
package struct FileIdentity: Sendable, Equatable {
  package var device: UInt64 = 0
  package var inode: UInt64 = 0
  package init() {}
  package init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

extension Limits {
  /// What `setrlimit` bounds, for each process. No RLIMIT_AS: V8 and the JVM reserve far more
  /// address space than they use. No RLIMIT_CPU: a long-lived server is not a runaway.
  func resourceLimits(hasCgroup: Bool) -> [ResourceLimit] {
    var limits = [
      ResourceLimit(resource: UInt32(RLIMIT_CORE.rawValue), bound: 0),
      ResourceLimit(resource: UInt32(RLIMIT_NOFILE.rawValue), bound: openFiles),
      ResourceLimit(
        resource: UInt32(RLIMIT_FSIZE.rawValue), bound: fileBytes, soft: refusesWrites ? 0 : nil),
      ResourceLimit(resource: UInt32(__RLIMIT_MEMLOCK.rawValue), bound: Self.lockedBytes),
      ResourceLimit(resource: UInt32(__RLIMIT_MSGQUEUE.rawValue), bound: 0),
      ResourceLimit(resource: UInt32(__RLIMIT_SIGPENDING.rawValue), bound: 1024),
      ResourceLimit(resource: UInt32(__RLIMIT_NICE.rawValue), bound: 0),
      ResourceLimit(resource: UInt32(__RLIMIT_RTPRIO.rawValue), bound: 0),
    ]
    // Counted per user namespace, so another app of the same host uid does not use it up. One
    // more, for pid 1. Beside a cgroup it is only a second net: the cgroup's refusals are counted.
    let forks = UInt64(processes) + 1
    limits.append(
      ResourceLimit(
        resource: UInt32(__RLIMIT_NPROC.rawValue), bound: hasCgroup ? forks * 2 + 16 : forks))
    // Without a cgroup this is all that bounds memory, and only for each process alone.
    if !hasCgroup {
      limits.append(ResourceLimit(resource: UInt32(RLIMIT_DATA.rawValue), bound: memoryBytes))
    }
    return limits
  }
}

extension SandboxPolicy {
  /// What no host could carry out. Paths and counts only; whether sources exist is seen later.
  func validate() throws(SandboxError) {
    func check(_ condition: Bool, _ message: @autoclosure () -> String) throws(SandboxError) {
      guard condition else { throw SandboxError(.policy, errno: EINVAL, message()) }
    }
    try check(Self.isName(appID, max: 128), "appID '\(appID)' is not a plain name")
    try check(Self.isName(instance, max: 64), "instance '\(instance)' is not a plain name")
    try check(!arguments.isEmpty && !arguments[0].isEmpty, "there is no command")
    try check(
      arguments.count + environment.count <= 1024, "more than 1,024 arguments and variables")
    let texts = arguments + environment.map { "\($0.key)=\($0.value)" } + [workingDirectory]
    try check(texts.allSatisfy { !$0.utf8.contains(0) }, "an argument or variable holds a NUL")
    try check(
      environment.keys.allSatisfy { !$0.isEmpty && !$0.contains("=") },
      "a variable has an impossible name")
    try check(
      texts.reduce(0) { $0 + $1.utf8.count + 16 } <= 96 << 10,
      "arguments and environment are over 96 KiB")
    try check(Self.isPath(workingDirectory), "the working directory is not an absolute path")
    try check(binds.count <= 32, "more than 32 binds")
    for bind in binds {
      try check(Self.isPath(bind.source), "bind source '\(bind.source)' is not an absolute path")
      try check(
        Self.isPath(bind.path) && bind.path != "/",
        "bind path '\(bind.path)' is not an absolute path below /")
      try check(!(bind.writable && bind.executable), "'\(bind.path)' is writable and executable")
    }
    try check(limits.cpuCores > 0 && limits.cpuCores <= 1024, "cpu is not between 0 and 1024 cores")
    try check(limits.memoryBytes >= 4 << 20, "memory is under 4 MiB")
    try check(limits.processes >= 1, "processes is 0")
    try check((1...10_000).contains(limits.cpuWeight), "cpu weight is not between 1 and 10,000")
    try check(uid == nil || (uid != 0 && uid != UInt32.max), "an app's uid cannot be root")
  }

  static func isName(_ text: String, max: Int) -> Bool {
    (1...max).contains(text.utf8.count) && text.first != "."
      && text.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
          || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D
      }
  }

  /// Absolute, without empty, `.` or `..` components, at most 4,095 bytes.
  static func isPath(_ text: String) -> Bool {
    guard text.hasPrefix("/"), text.utf8.count < 4096, !text.utf8.contains(0) else { return false }
    if text == "/" { return true }
    return text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
      .allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
  }
}
