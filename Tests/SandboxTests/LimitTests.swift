// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

/// Every bound, used up by a guest that means to.
@Suite("a limit")
struct LimitTests {
  @Test("of memory ends the guest and is reported", .enabled(if: Fixture.hasCgroups))
  func memory() async throws {
    var policy = Attacker.policy("exhaust", "memory")
    policy.appID = "memory"
    policy.limits.memoryBytes = 32 << 20
    let output = try await Fixture.run(policy)
    #expect(output.exit.outcome == .signaled(signal: SIGKILL))
    #expect(output.exit.outOfMemory)
    #expect(output.exit.usage.memoryPeakBytes <= 33 << 20)
  }

  @Test("of memory holds per process where there is no cgroup")
  func memoryWithoutCgroup() async throws {
    var policy = Attacker.policy("exhaust", "memory")
    policy.limits.memoryBytes = 32 << 20
    let output = try await bare(policy)
    #expect(output.exit.outcome == .exited(code: 3))
    #expect(output.text.hasPrefix("refused after "))
  }

  @Test("of memory counts what is written to /tmp", .enabled(if: Fixture.hasCgroups))
  func scratchIsMemory() async throws {
    var policy = Attacker.policy("exhaust", "scratch")
    policy.appID = "scratch"
    policy.limits.memoryBytes = 16 << 20
    policy.limits.scratchBytes = 256 << 20
    let output = try await Fixture.run(policy)
    #expect(output.exit.outOfMemory)
  }

  @Test("of processes holds against a fork bomb, which ends within the bound")
  func processes() async throws {
    var policy = Attacker.policy("exhaust", "forks")
    policy.appID = "forks"
    policy.limits.processes = 20
    let process = try await Fixture.launcher().launch(policy)
    try await settle { try process.usage().processes >= 18 }
    for _ in 0..<20 {
      #expect(try process.usage().processes <= 23)
      try await Task.sleep(for: .milliseconds(5))
    }
    process.kill()
    let exit = await process.waitForExit()
    if Fixture.hasCgroups { #expect(exit.processLimitHit) }
    await process.waitUntilGone()
  }

  @Test("of processes counts threads")
  func threads() async throws {
    var policy = Attacker.policy("exhaust", "threads")
    policy.appID = "threads"
    policy.limits.processes = 16
    let output = try await Fixture.run(policy)
    let count = output.text.split(separator: " ").last.flatMap { Int($0.dropLast()) } ?? 1000
    #expect(count <= 18, "\(output.text)")
  }

  @Test("of one app's processes leaves another's alone")
  func processesOfOthers() async throws {
    var bomb = Attacker.policy("exhaust", "forks")
    bomb.appID = "bomb"
    bomb.limits.processes = 20
    let process = try await Fixture.launcher().launch(bomb)
    try await settle { try process.usage().processes >= 18 }
    // Also where both have the host's own uid.
    var neighbour = Fixture.policy("/bin/sh", "-c", "(true); (true); echo fine", app: "neighbour")
    neighbour.limits.processes = 8
    #expect(try await Fixture.run(neighbour).text == "fine\n")
    process.kill()
    await process.waitUntilGone()
  }

  @Test("of scratch space, shared memory, files and inodes answers ENOSPC or EFBIG")
  func disk() async throws {
    func run(_ what: String, _ change: (inout SandboxPolicy) -> Void) async throws -> String {
      var policy = Attacker.policy("exhaust", what)
      policy.appID = "disk"
      change(&policy)
      return try await Fixture.run(policy).text
    }
    #expect(
      try await run("scratch") { $0.limits.scratchBytes = 4 << 20 }
        == "/tmp/full: ENOSPC after 4096 KiB\n")
    #expect(
      try await run("shm") { $0.limits.sharedMemoryBytes = 2 << 20 }
        == "/dev/shm/full: ENOSPC after 2048 KiB\n")
    #expect(
      try await run("scratch") {
        $0.limits.scratchBytes = 64 << 20
        $0.limits.fileBytes = 1 << 20
      } == "/tmp/full: EFBIG after 1024 KiB\n")
    #expect(
      try await run("inodes") { $0.limits.scratchBytes = 1 << 20 }.contains("ENOSPC after 10"))
  }

  @Test("of descriptors answers EMFILE")
  func descriptors() async throws {
    var policy = Attacker.policy("exhaust", "descriptors")
    policy.limits.openFiles = 100
    #expect(try await Fixture.run(policy).text == "descriptors: EMFILE after 100\n")
  }

  @Test("of the processor slows a guest down to its share", .enabled(if: Fixture.hasCgroups))
  func processor() async throws {
    var policy = Attacker.policy("exhaust", "processor")
    policy.appID = "processor"
    // Less than what is left on the busiest machine, so that it is the quota that holds it back.
    policy.limits.cpuCores = 0.02
    let process = try await Fixture.launcher().launch(policy)
    // What counts is that it was held back, not how long this machine took to do so.
    try await settle {
      Fixture.cgroups.usage(app: "processor")?.throttledMicroseconds ?? 0 > 100_000
    }
    process.kill()
    await process.waitUntilGone()
  }

  @Test("may be lowered for an app that runs", .enabled(if: Fixture.hasCgroups))
  func lowered() async throws {
    var policy = Fixture.policy("/bin/true", app: "lowered")
    policy.limits.memoryBytes = 256 << 20
    #expect(try await Fixture.run(policy).isSuccess)
    policy = Attacker.policy("exhaust", "memory")
    policy.appID = "lowered"
    policy.limits.memoryBytes = 16 << 20
    #expect(try await Fixture.run(policy).exit.outOfMemory)
    policy.instance += "b"
    policy.arguments = ["/bin/true"]
    policy.limits.memoryBytes = 512 << 20
    #expect(try await Fixture.run(policy).isSuccess)
  }

  private func bare(_ policy: SandboxPolicy) async throws -> Fixture.Output {
    let launcher = try Launcher(
      launcherPath: Fixture.launcherPath, cgroups: NoCgroups(),
      facts: await Fixture.hostFacts(), name: "tests-\(getpid())")
    return try await Fixture.run(policy, with: launcher)
  }
}
