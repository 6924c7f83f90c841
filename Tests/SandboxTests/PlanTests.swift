// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

/// What a launch will do, looked at without doing it.
@Suite("a plan")
struct PlanTests {
  static let layout = HostLayout(entries: [
    "/usr": .directory, "/bin": .link("usr/bin"), "/lib": .link("usr/lib"),
    "/etc/ssl/certs": .directory, "/etc/ld.so.cache": .file,
  ])

  static func facts(isPrivileged: Bool = true, landlockABI: Int = 7) -> HostFacts {
    HostFacts(
      uid: isPrivileged ? 0 : 1001, gid: isPrivileged ? 0 : 1002, isPrivileged: isPrivileged,
      landlockABI: landlockABI, hasFreshProc: true, canForbidUserNamespaces: true,
      hasUserNotify: true, hasSeccomp: true, layout: layout, layers: [])
  }

  static func plan(
    _ policy: SandboxPolicy, facts: HostFacts = facts(), hasCgroup: Bool = true
  ) throws -> LaunchPlan {
    try LaunchPlan(
      policy, facts: facts,
      sources: policy.binds.map {
        ResolvedBind(bind: $0, source: $0.source, isDirectory: true)
      },
      descriptors: [1, 2, 3], filter: SyscallFilter(profile: .standard).compiled(),
      hasCgroup: hasCgroup)
  }

  static func policy() -> SandboxPolicy {
    SandboxPolicy(
      appID: "org.example.app", instance: "i1", arguments: ["python3", "-m", "app"],
      environment: ["PATH": "/opt/bin:/usr/bin"], workingDirectory: "/app",
      binds: [.code("/srv/app"), .data("/srv/data")], uid: 60_001)
  }

  @Test("mounts nothing writable but scratch, devices and what the policy says")
  func writable() throws {
    var writable: [String] = []
    for step in try Self.plan(Self.policy()).cell.steps {
      switch step {
      case .bind(_, let path, let attributes, let kind, _):
        #expect(attributes.contains(.noSetuid), "\(path)")
        if kind != .device { #expect(attributes.contains(.noDevices), "\(path)") }
        if !attributes.contains(.readOnly) {
          writable.append(path)
          #expect(attributes.contains(.noExecute), "\(path)")
        }
      case .tmpfs(let path, _, _, _): writable.append(path)
      default: break
      }
    }
    #expect(
      writable.sorted() == [
        "data", "dev/full", "dev/null", "dev/random", "dev/shm", "dev/urandom", "dev/zero", "tmp",
      ])
  }

  @Test("makes every directory before what lies in it, and nothing twice")
  func order() throws {
    var made: Set<String> = [""]
    var mounted: Set<String> = []
    for step in try Self.plan(Self.policy()).cell.steps {
      switch step {
      case .directory(let path, _), .link(_, let path), .file(let path, _):
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        #expect(made.contains(parent), "\(path)")
        #expect(!mounted.contains { parent == $0 || parent.hasPrefix($0 + "/") } || parent == "dev")
        #expect(made.insert(path).inserted, "\(path)")
      case .tmpfs(let path, _, _, _), .bind(_, let path, _, _, _):
        #expect(made.contains(path), "\(path)")
        #expect(mounted.insert(path).inserted, "\(path)")
      case .proc: #expect(made.contains("proc"))
      }
    }
  }

  @Test("never names a Landlock right the kernel does not know", arguments: 0...7)
  func landlock(abi: Int) throws {
    let rules = try Self.plan(Self.policy(), facts: Self.facts(landlockABI: abi)).cell.landlock
    guard abi > 0 else {
      #expect(rules == nil)
      return
    }
    let landlock = try #require(rules)
    let bits = [13, 14, 15, 15, 16, 16, 16][abi - 1]
    #expect(landlock.handledFiles == (1 << UInt64(bits)) - 1)
    #expect((landlock.handledNetwork != 0) == (abi >= 4))
    #expect((landlock.scoped != 0) == (abi >= 6))
    for path in landlock.paths { #expect(path.rights & ~landlock.handledFiles == 0) }
  }

  @Test("lets Landlock allow writing where the mounts do, and nowhere else")
  func landlockPaths() throws {
    let landlock = try #require(try Self.plan(Self.policy()).cell.landlock)
    let write: UInt64 = 1 << 1
    let execute: UInt64 = 1 << 0
    let writable = landlock.paths.filter { $0.rights & write != 0 }.map(\.path)
    #expect(Set(writable) == Set(["/tmp", "/dev/shm", "/data"] + devices))
    let executable = landlock.paths.filter { $0.rights & execute != 0 }.map(\.path)
    #expect(Set(executable) == ["/usr", "/etc/ssl/certs", "/app"])
    for path in landlock.paths { #expect(path.rights & (write | execute) != write | execute) }
  }

  private let devices = ["null", "zero", "full", "random", "urandom"].map { "/dev/" + $0 }

  @Test("gives the app its own uid as root, the host's as a plain user")
  func identity() throws {
    let root = try Self.plan(Self.policy()).cell.identity
    #expect((root.outsideUID, root.outsideGID, root.isPrivileged) == (60_001, 60_001, true))
    let user = try Self.plan(Self.policy(), facts: Self.facts(isPrivileged: false)).cell.identity
    #expect((user.outsideUID, user.outsideGID, user.isPrivileged) == (1001, 1002, false))
  }

  @Test("is the same cell whatever the command, so that one built ahead can serve")
  func sameCell() throws {
    var other = Self.policy()
    other.instance = "i2"
    other.arguments = ["/bin/false"]
    other.environment = [:]
    #expect(try Self.plan(Self.policy()).cell == Self.plan(other).cell)
    other.limits.scratchBytes += 4096
    #expect(try Self.plan(Self.policy()).cell != Self.plan(other).cell)
  }

  @Test("fits the launcher's bounds, and the largest allowed policy does too")
  func size() throws {
    var policy = Self.policy()
    policy.binds = (0..<32).map {
      .code("/srv/\($0)" + String(repeating: "x", count: 200), at: "/b\($0)")
    }
    policy.arguments = [String(repeating: "a", count: 90 << 10)]
    policy.environment = [:]
    let plan = try Self.plan(policy)
    #expect(plan.cell.encoded().count <= 163_840)
    #expect(plan.start.encoded().count <= 163_840)
    policy.arguments = Array(repeating: "a", count: 6000)
    #expect(throws: SandboxError.self) { try Self.plan(policy) }
  }

  @Test("bounds memory per process only where no cgroup does it for all")
  func dataLimit() throws {
    let data = UInt32(RLIMIT_DATA.rawValue)
    #expect(!(try Self.plan(Self.policy()).cell.limits.contains { $0.resource == data }))
    let bare = try Self.plan(Self.policy(), hasCgroup: false)
    #expect(bare.cell.limits.contains { $0.resource == data })
  }

  @Test("shows what the host has of a runtime, links as links")
  func runtimeView() {
    let view = RuntimeView.standard(Self.layout)
    #expect(view.directories == ["/usr", "/etc/ssl/certs"])
    #expect(view.links == ["/bin": "usr/bin", "/lib": "usr/lib"])
    #expect(view.files == ["/etc/ld.so.cache"])
    #expect(view.adding("/usr/local") == view)
    #expect(view.adding("/opt/swift").directories.last == "/opt/swift")
    #expect(RuntimeView(directories: ["/opt/a/b"]).adding("/opt/a").directories == ["/opt/a"])
  }
}

@Suite("the life of a cell")
struct CellLifecycleTests {
  typealias Report = CellLifecycle.Report

  /// BH_REPORT_*: failed 1, init 2, ready 3, exit 4.
  private func report(_ kind: UInt32, status: Int32 = 0, pid: Int32 = 0) -> Report {
    var report = Report(kind: kind)
    report.status = status
    report.pid = pid
    return report
  }

  /// Up to where it runs.
  private func running() -> CellLifecycle {
    var cell = CellLifecycle()
    #expect(cell.handle(.ordered) == [])
    #expect(cell.handle(.cell(report(2, pid: 41))) == [])
    #expect(cell.handle(.guest(report(3, pid: 42))) == [.ready])
    #expect(cell.handle(.guestClosed) == [.started])
    return cell
  }

  @Test("goes from built to started to over, and tells each once")
  func inOrder() {
    var cell = running()
    #expect((cell.initPID, cell.guestPID) == (41, 42))
    #expect(cell.handle(.cell(report(4, status: 7 << 8))) == [.exited])
    #expect(cell.handle(.cell(report(4, status: 9))) == [])
    #expect(cell.handle(.cellClosed) == [])
    #expect(cell.handle(.control(report(4, status: 0))) == [.over])
    #expect(cell.status == 7 << 8)
    #expect(cell.handle(.controlClosed) == [])
  }

  @Test("takes pid 1's end for the guest's when pid 1 was killed")
  func killed() {
    var cell = running()
    #expect(cell.handle(.control(report(4, status: 9))) == [])
    #expect(cell.handle(.cellClosed) == [.over])
    #expect(cell.status == 9)
  }

  @Test("is not over before pid 1 is seen to be gone, when the monitor died without a word")
  func monitorLost() {
    var cell = running()
    #expect(cell.handle(.cellClosed) == [])
    #expect(cell.handle(.controlClosed) == [.watchInit(41)])
    #expect(cell.handle(.initGone) == [.over])
  }

  @Test("reports one failure, by its step")
  func failures() {
    var cell = CellLifecycle()
    var failure = report(1)
    failure.step = 15
    failure.errno = ENOSPC
    failure.record = 3
    #expect(cell.handle(.cell(failure)) == [.failed(.root, errno: ENOSPC, record: 3)])
    #expect(cell.handle(.guestClosed) == [])
    #expect(cell.handle(.deadline) == [])
  }

  @Test("takes a guest that closes its socket unasked for lost, not for started")
  func guestLost() {
    var cell = CellLifecycle()
    _ = cell.handle(.guest(report(3)))
    #expect(cell.handle(.guestClosed) == [.failed(.lost, errno: 0, record: 0), .kill])
    var early = CellLifecycle()
    _ = early.handle(.ordered)
    #expect(early.handle(.guestClosed) == [.failed(.lost, errno: 0, record: 0), .kill])
    var slow = CellLifecycle()
    #expect(slow.handle(.deadline) == [.failed(.lost, errno: ETIMEDOUT, record: 0), .kill])
  }

  @Test("is over when a launcher is lost while building")
  func launcherLost() {
    var lost = CellLifecycle()
    #expect(lost.handle(.cellClosed) == [])
    #expect(lost.handle(.controlClosed) == [.failed(.lost, errno: 0, record: 0), .over])
  }
}

@Suite("files of the kernel")
struct KernelFileTests {
  @Test("cgroup mounts and places are found, hybrid and unified")
  func cgroups() {
    let hybrid = CgroupDiscovery.parseMounts(
      """
      tmpfs /sys/fs/cgroup tmpfs rw 0 0
      cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0
      cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
      cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
      cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
      """)
    #expect(hybrid.unified == "/sys/fs/cgroup/unified")
    #expect(hybrid.controllers["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct")
    #expect(hybrid.controllers["memory"] == "/sys/fs/cgroup/memory")
    #expect(hybrid.controllers.count == 3)
    let own = CgroupDiscovery.parseOwn(
      "12:cpu,cpuacct:/a\n5:memory:/b:c\n1:name=systemd:/\n0::/d\n")
    #expect(own.unified == "/d")
    #expect(own.controllers["cpu"] == "/a")
    #expect(own.controllers["memory"] == "/b:c")
  }

  @Test("numbers are read, and what is none is not")
  func numbers() {
    #expect(CgroupDirectory.firstNumber("4096\n") == 4096)
    #expect(CgroupDirectory.firstNumber("max\n") == nil)
    #expect(CgroupDirectory.fields(of: "max 3\noom 1\nbroken\n") == ["max": 3, "oom": 1])
  }

  @Test("a process named to confuse is still read")
  func processName() throws {
    let stat = "7 (a) R 1 (b)) S 1 7 7 0 -1 0 0 0 0 0 10 20 30 40 20 0 3 0 99 1000 250 1"
    let figures = try #require(ProcessTree.parse(stat: stat))
    #expect((figures.user, figures.system, figures.threads) == (40, 60, 3))
    #expect(figures.residentPages == 250)
    #expect(ProcessTree.parse(stat: "7 (x) S 1") == nil)
  }
}
