// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

@Suite("figures")
struct UsageTests {
  /// Holds 8 MB and spins: kernels before 6.2 count a small process's memory as none.
  static let busy = "my $held = 'x' x 8_000_000; 1 while 1"

  @Test("processor time is what the kernel counted")
  func processorTime() async throws {
    let output = try await Fixture.run(Attacker.policy("show", "burn", "400"))
    let used = output.exit.usage.cpuMicroseconds
    // The guest stops at 400 ms of its own clock; starting and ending it come on top, and are slow
    // on an emulated machine.
    #expect(used >= 396_000)
    #expect(used <= 1_000_000)
  }

  @Test("can be read while it runs, and remain after the end")
  func live() async throws {
    let policy = Fixture.policy("/usr/bin/perl", "-e", Self.busy, app: "live")
    let process = try await Fixture.launcher().launch(policy)
    try await settle { try process.usage().cpuMicroseconds > 50_000 }
    // The interpreter may take that long before it fills its memory.
    try await settle { try process.usage().memoryBytes > 4_000_000 }
    let usage = try process.usage()
    #expect(usage.processes >= 1)
    process.kill()
    let exit = await process.waitForExit()
    #expect(exit.usage.cpuMicroseconds >= usage.cpuMicroseconds)
    #expect(try process.usage() == exit.usage)
  }

  @Test("the processes inside are listed one by one, and none after the end")
  func listing() async throws {
    let policy = Fixture.policy(
      "/usr/bin/perl", "-e",
      "$0 = 'a) b (c'; unless (fork) { 1 while 1 } unless (fork) { sleep 1000 } sleep 1000",
      app: "listed")
    let process = try await Fixture.launcher().launch(policy)
    // Until it has forked twice and the first child has worked: starting takes an interpreter time too.
    try await settle {
      let children = process.processes().filter { $0.parent == process.pid }
      return children.count == 2 && children.contains { $0.userMicroseconds > 50_000 }
    }
    let all = process.processes()
    #expect(all.map(\.pid) == all.map(\.pid).sorted())
    let guest = try #require(all.first { $0.pid == process.pid })
    let children = all.filter { $0.parent == guest.pid }
    #expect(children.count == 2)
    #expect(children.filter { $0.userMicroseconds > 50_000 }.count == 1)
    #expect(Set(all.map(\.startTicks)).count >= 1 && all.allSatisfy { $0.startTicks > 0 })
    process.kill()
    _ = await process.waitForExit()
    #expect(process.processes().isEmpty)
  }

  @Test("a process's name may hold anything")
  func names() throws {
    let stat = "7 (a) R 1 (b) S 3 7 7 0 -1 4194304 9 0 0 0 250 150 7 8 20 0 2 0 4711 1000 25 0"
    let figures = try #require(ProcessTree.describe(pid: 7, stat: stat))
    #expect(figures.name == "a) R 1 (b")
    #expect((figures.state, figures.parent, figures.threads) == ("S", 3, 2))
    #expect((figures.userMicroseconds, figures.systemMicroseconds) == (2_500_000, 1_500_000))
    #expect((figures.startTicks, figures.residentBytes) == (4711, 25 * 4096))
    #expect(ProcessTree.describe(pid: 7, stat: "7 (a) S 1") == nil)
    #expect(ProcessTree.describe(pid: 7, stat: "") == nil)
  }

  @Test("of an app are those of its processes together", .enabled(if: Fixture.hasCgroups))
  func app() async throws {
    let launcher = try await Fixture.launcher()
    var policies: [SandboxPolicy] = []
    for _ in 0..<2 {
      var policy = Attacker.policy("show", "burn", "200")
      policy.appID = "together"
      policies.append(policy)
    }
    var each: UInt64 = 0
    for policy in policies { each += try await Fixture.run(policy).exit.usage.cpuMicroseconds }
    let all = try #require(launcher.usage(ofApp: "together"))
    #expect(all.cpuMicroseconds >= each)
    #expect(all.cpuMicroseconds <= each + 100_000)
  }

  @Test("without a cgroup come from /proc and wait4, and say so")
  func withoutCgroups() async throws {
    let launcher = try Launcher(
      launcherPath: Fixture.launcherPath, cgroups: NoCgroups(),
      facts: await Fixture.hostFacts(), name: "tests-\(getpid())")
    let process = try await launcher.launch(
      Fixture.policy("/usr/bin/perl", "-e", Self.busy, app: "bare"))
    try await settle { try process.usage().cpuMicroseconds > 50_000 }
    try await settle { try process.usage().memoryBytes > 4_000_000 }
    #expect(try process.usage().source == .proc)
    process.kill()
    let exit = await process.waitForExit()
    #expect(exit.usage.source == .proc)
    #expect(exit.usage.cpuMicroseconds > 50_000)
  }

  @Test("without a cgroup do not go back when nobody was left to count them")
  func reaperKilled() async throws {
    let launcher = try Launcher(
      launcherPath: Fixture.launcherPath, cgroups: NoCgroups(),
      facts: await Fixture.hostFacts(), name: "tests-\(getpid())")
    let process = try await launcher.launch(
      Fixture.policy("/usr/bin/perl", "-e", Self.busy, app: "uncounted"))
    try await settle { try process.usage().cpuMicroseconds > 50_000 }
    let usage = try process.usage()
    // Killed, pid 1 reaps no child: what the guest used is in no report.
    let reaper = try #require(parent(process.pid))
    #expect(kill(reaper, SIGKILL) == 0)
    let exit = await process.waitForExit()
    #expect(exit.outcome == .signaled(signal: SIGKILL))
    #expect(exit.usage.cpuMicroseconds >= usage.cpuMicroseconds)
  }
}
