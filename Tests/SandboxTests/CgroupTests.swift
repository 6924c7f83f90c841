// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

/// The v2 tree as plain files, for machines that have v1 only: what is written where.
@Suite("cgroup v2")
struct CgroupTests {
  @Test("gets every limit, and figures come from its files")
  func limits() throws {
    let root = try scratchDirectory("cgroup")
    for directory in ["", "/app-a", "/app-a/run-1"] {
      mkdir(root + directory, 0o755)
      for name in [
        "cgroup.controllers", "cgroup.subtree_control", "memory.max", "memory.swap.max", "cpu.max",
        "cpu.weight", "pids.max", "memory.oom.group", "cgroup.kill", "io.weight",
      ] { writeBytes([], to: "\(root)\(directory)/\(name)") }
    }
    func content(_ name: String) -> String? { readText(root + name) }
    // A controller that is not handed down makes it unusable, with the reason.
    let refused = #expect(throws: SandboxError.self) { try CgroupV2(root: root) }
    #expect(refused?.detail.contains("controller cpu is not delegated") == true)

    writeBytes(Array("cpu memory pids io hugetlb\n".utf8), to: root + "/cgroup.controllers")
    let cgroups = try CgroupV2(root: root)
    #expect(content("/cgroup.subtree_control") == "+cpu +memory +pids +io")
    let limits = Limits(memoryBytes: 100 << 20, cpuCores: 0.25, cpuWeight: 50, processes: 10)
    try cgroups.prepare(app: "a", limits)
    #expect(content("/app-a/memory.max") == "\(100 << 20)")
    #expect(content("/app-a/memory.swap.max") == "0")
    #expect(content("/app-a/cpu.max") == "25000 100000")
    #expect(content("/app-a/cpu.weight") == "50")
    #expect(content("/app-a/pids.max") == "\(10 + Limits.ownProcesses)")
    #expect(content("/app-a/io.weight") == "default 50")

    let placement = try cgroups.makeLeaf(app: "a", instance: "1")
    #expect(placement.into == root + "/app-a/run-1")
    #expect(placement.joins == [])
    #expect(content("/app-a/run-1/memory.oom.group") == "1")

    writeBytes(Array("1\n".utf8), to: root + "/app-a/run-1/pids.current")
    writeBytes(
      Array("usage_usec 30\nuser_usec 20\nsystem_usec 10\nthrottled_usec 5\n".utf8),
      to: root + "/app-a/run-1/cpu.stat")
    writeBytes(Array("4096\n".utf8), to: root + "/app-a/run-1/memory.current")
    writeBytes(Array("8192\n".utf8), to: root + "/app-a/run-1/memory.peak")
    writeBytes(Array("low 0\noom 1\noom_kill 2\n".utf8), to: root + "/app-a/run-1/memory.events")
    writeBytes(Array("max 3\n".utf8), to: root + "/app-a/pids.events")
    let usage = try #require(cgroups.usage(app: "a", instance: "1"))
    #expect((usage.userMicroseconds, usage.systemMicroseconds) == (20, 10))
    #expect((usage.memoryBytes, usage.memoryPeakBytes) == (4096, 8192))
    #expect((usage.outOfMemoryKills, usage.throttledMicroseconds) == (2, 5))
    #expect(cgroups.processLimitHits(app: "a") == 3)
    #expect(cgroups.kill(app: "a", instance: "1"))
    #expect(content("/app-a/run-1/cgroup.kill") == "1")
    try GuestTree(root).remove()
  }

  @Test("without any says so, and why")
  func none() {
    let reports = NoCgroups(reason: "test", fix: "a command").reports
    #expect(reports.map(\.layer) == [.cgroup, .cgroupKill])
    #expect(reports.first?.state == .weaker)
    #expect(reports.first?.fix == "a command")
  }
}
