// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Command
import Foundation
import Testing

@Suite("bulkhead top")
struct TopViewTests {
  private static let start = Date(timeIntervalSince1970: 1_772_366_400)

  private func reading(
    after seconds: Double, cpu: Double, sent: UInt64, requests: UInt64, slow: Int64,
    processes: [AppProcess]
  ) -> AppTop {
    let fast = Int64(requests) - slow
    return AppTop(
      stats: AppStats(
        app: "org.example.journal", origin: "journal",
        time: Self.start.addingTimeInterval(seconds), cpuSeconds: cpu, memoryBytes: 120 << 20,
        memoryLimitBytes: 128 << 20, processes: processes.count, storageBytes: 1 << 20,
        networkReceivedBytes: 0, networkSentBytes: sent, requests: requests, calls: 4,
        restarts: 2, oomKills: 1),
      state: .running, uptimeSeconds: 61,
      limits: LimitSummary(
        cpuCores: 0.5, memoryBytes: 128 << 20, processes: 32, storageBytes: 1 << 30),
      budgets: [Budget(meter: "cpu", period: .day, max: 100, action: .stop, used: 90)],
      processes: processes,
      requestDurations: .init(
        boundsSeconds: [0.01, 1], counts: [fast, fast + slow, fast + slow], sumSeconds: 1))
  }

  private func process(_ pid: Int32, _ cpu: Double, _ name: String, started: UInt64 = 5)
    -> AppProcess
  {
    AppProcess(
      pid: pid, parent: 1, role: "guest", name: name, state: "R", threads: 1, cpuSeconds: cpu,
      memoryBytes: 8 << 20, startTicks: started)
  }

  @Test("rates are of the interval, limits have their share, the busiest process comes first")
  func view() {
    let before = reading(
      after: 0, cpu: 10, sent: 0, requests: 0, slow: 0,
      processes: [process(7, 1, "python3"), process(8, 3, "old")])
    let now = reading(
      after: 2, cpu: 10.5, sent: 4096, requests: 20, slow: 2,
      // 8 is another process by now: all it used is new.
      processes: [
        process(7, 1.5, "python3"), process(8, 0.2, "wor\u{1b}[31mker", started: 9),
      ])
    #expect(
      TopView(before: before, now: now).text(style: Style(isColoured: false)) == """
        org.example.journal  running, up 1m 1s, 2 restarts, 1 killed for memory

                            NOW      LIMIT   USED
        cpu               25.0%  0.5 cores  50.0%
        memory          120 MiB    128 MiB  93.8%
        storage        1.00 MiB   1.00 GiB   0.1%
        processes             2         32   6.3%
        network in        0 B/s
        network out  2.00 KiB/s
        requests         10.0/s
        calls             0.0/s
        50 % of the requests took ≤ 10.0 ms, 95 % ≤ 1000.0 ms

        BUDGET   USED  MAX         THEN
        cpu/day    90  100  90.0%  stop

        PID  OF     STATE  THREADS    CPU   TIME    MEMORY  NAME
          7  guest  R            1  25.0%  1.50s  8.00 MiB  python3
          8  guest  R            1  10.0%  0.20s  8.00 MiB  wor\u{fffd}[31mker

        """)
  }

  @Test("no time between the readings, or a counter that began anew, is no rate")
  func noRate() {
    let one = reading(after: 0, cpu: 5, sent: 9, requests: 9, slow: 0, processes: [])
    let same = TopView(before: one, now: one).text(style: Style(isColoured: false))
    #expect(same.contains("no process runs"))
    #expect(!same.contains("of the requests"))
    let anew = reading(after: 1, cpu: 1, sent: 1, requests: 1, slow: 0, processes: [])
    let text = TopView(before: one, now: anew).text(style: Style(isColoured: false))
    #expect(text.split(separator: "\n").contains { $0.hasPrefix("cpu") && $0.contains(" - ") })
    #expect(!text.contains("nan") && !text.contains("-0."))
  }

  @Test("it travels whole")
  func coding() throws {
    let one = reading(
      after: 0, cpu: 5, sent: 9, requests: 9, slow: 1, processes: [process(7, 1, "x")])
    #expect(try AdminCoding.decode(AppTop.self, from: AdminCoding.encode(one)) == one)
  }
}
