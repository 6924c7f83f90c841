// SPDX-License-Identifier: Apache-2.0
import Meter
import Testing

@Suite("Kernel texts")
struct SampleTextTests {
  @Test("cgroup v2 files become figures, keys of newer kernels are ignored")
  func version2() throws {
    let figures = try CgroupText.parse(
      .init(
        cpuStat: """
          usage_usec 1003456
          user_usec 1001456
          system_usec 2000
          core_sched.force_idle_usec 0
          nr_periods 12

          """, memoryCurrent: "4096000\n", memoryPeak: "8192000\n",
        memoryEvents: "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n",
        pidsCurrent: "7\n", pidsEvents: "max 2\n"))
    #expect(
      figures
        == .init(
          cpuUserMicroseconds: 1_001_456, cpuSystemMicroseconds: 2_000,
          memoryCurrentBytes: 4_096_000, memoryPeakBytes: 8_192_000, oomKills: 1,
          processLimitHits: 2, processes: 7))
  }

  @Test("cgroup v1 nanoseconds become microseconds; the split never exceeds the total")
  func version1() throws {
    let split = try CgroupText.parse(
      .init(
        cpuacctUsage: "5000000000\n", cpuacctUsageUser: "3000000000\n",
        memoryUsage: "1048576\n", memoryMaxUsage: "2097152\n",
        memoryOOMControl: "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"))
    #expect(split.cpuUserMicroseconds == 3_000_000)
    #expect(split.cpuSystemMicroseconds == 2_000_000)
    #expect(split.oomKills == 4)
    let ticks = try CgroupText.parse(
      .init(cpuacctUsage: "1000000000\n", cpuacctStat: "user 75\nsystem 25\n"))
    #expect(ticks.cpuUserMicroseconds == 750_000)
    #expect(ticks.cpuUserMicroseconds + ticks.cpuSystemMicroseconds == 1_000_000)
    let whole = try CgroupText.parse(.init(cpuacctUsage: "1000\n"))
    #expect(whole.cpuUserMicroseconds + whole.cpuSystemMicroseconds == 1)
  }

  @Test(
    "a text the kernel would not write is a named error, not a figure",
    arguments: ["", "user_usec 5\n", "user_usec x\nsystem_usec 1\n", "user_usec -1\nsystem_usec 1"])
  func rubbish(text: String) {
    #expect(throws: MeterError.self) { try CgroupText.parse(.init(cpuStat: text)) }
  }

  private let line =
    "4242 (a) b (c) S 4200 4242 4242 0 -1 4194304 120 50 0 0 300 40 10 5 20 0 3 0 98765 "
    + "10485760 256 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0"

  @Test("a process may call itself anything: fields count from the last parenthesis")
  func stat() throws {
    let stat = try ProcessTree.parse(stat: line)
    #expect(stat.process == 4242 && stat.parent == 4200)
    #expect(stat.userTicks == 300 && stat.systemTicks == 40)
    #expect(stat.childUserTicks == 10 && stat.childSystemTicks == 5)
    #expect(stat.startTicks == 98_765 && stat.residentPages == 256)
  }

  @Test("a tree is the root and all below it, and nothing beside it")
  func tree() throws {
    let stat = try ProcessTree.parse(stat: line)
    let pairs: [(Int64, Int64)] = [(1, 0), (10, 1), (11, 10), (12, 11), (20, 1), (12, 11)]
    let all = pairs.map { process, parent in
      var copy = stat
      copy.process = process
      copy.parent = parent
      return copy
    }
    let found = ProcessTree.descendants(of: 10, in: all)
    #expect(Set(found.map(\.process)) == [10, 11, 12])
    let figures = ProcessTree.figures(Array(found.prefix(3)), ticksPerSecond: 100, pageBytes: 4_096)
    #expect(figures.cpuUserMicroseconds == 3 * 310 * 10_000)
    #expect(figures.cpuSystemMicroseconds == 3 * 45 * 10_000)
    #expect(figures.memoryCurrentBytes == Int64(3 * 256 * 4_096))
  }

  @Test("a cut stat line is refused", arguments: ["", "1 (x", "1 (x) S 1 2", "x (y) S 1 1"])
  func cutStat(text: String) {
    #expect(throws: MeterError.self) { try ProcessTree.parse(stat: text) }
  }
}
