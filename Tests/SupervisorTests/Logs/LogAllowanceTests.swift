// SPDX-License-Identifier: Apache-2.0
import Supervisor
import Testing

@Suite("How much an app may print")
struct LogAllowanceTests {
  @Test("the burst at once, then the rate; what is over is counted")
  func burstAndRate() {
    var allowance = LogAllowance()
    var kept = 0
    for _ in 0..<2_000 where allowance.admits(bytes: 1_024, at: 0) { kept += 1 }
    #expect(kept == LogBounds.burstBytes / 1_024)
    #expect(allowance.droppedLines == 2_000 - kept)
    let dropped = allowance.takeDropped()
    #expect(dropped?.lines == 2_000 - kept)
    #expect(dropped?.bytes == (2_000 - kept) * 1_024)
    #expect(allowance.takeDropped() == nil)
  }

  @Test("a flood is heard again after a second, not with every line that slips through")
  func hysteresis() {
    var allowance = LogAllowance()
    var changes = 0
    var wasKept = true
    var kept = 0
    for millisecond in 0..<10_000 as Range<Int64> {
      for _ in 0..<10 {
        let isKept = allowance.admits(bytes: 100, at: millisecond * 1_000_000)
        if isKept { kept += 100 }
        if isKept != wasKept { changes += 1 }
        wasKept = isKept
      }
    }
    #expect(changes <= 22, "\(changes) changes in ten seconds")
    let average = (kept - LogBounds.burstBytes) / 10
    #expect((LogBounds.rateBytes * 8 / 10...LogBounds.rateBytes).contains(average))
  }

  @Test("a clock that stands still or goes back gives nothing")
  func brokenClock() {
    var allowance = LogAllowance()
    let asked: [(bytes: Int, at: Int64)] = [
      (LogBounds.burstBytes, 5_000_000_000), (1, 5_000_000_000), (1, 0), (1, 5_000_000_000),
      (1, 6_000_000_000),
    ]
    let answers = asked.map { allowance.admits(bytes: $0.bytes, at: $0.at) }
    #expect(answers == [true, false, false, false, true])
  }
}
