// SPDX-License-Identifier: Apache-2.0
import Supervisor
import Testing

@Suite("The bound on a data directory")
struct DataQuotaTests {
  private static let limit: Int64 = 1 << 30

  @Test("writes are refused at the limit and not a byte before")
  func refuses() {
    var quota = DataQuota(bytesMax: Self.limit)
    #expect(quota.take(bytes: Self.limit - 1, entries: 1, bytesMax: Self.limit) == .none)
    #expect(quota.take(bytes: Self.limit, entries: 1, bytesMax: Self.limit) == .refuse)
    #expect(quota.take(bytes: Self.limit, entries: 1, bytesMax: Self.limit) == .hold, "once")
  }

  @Test("names are bounded as well as bytes")
  func entries() {
    var quota = DataQuota(bytesMax: Self.limit)
    #expect(
      quota.take(bytes: 0, entries: DataQuota.entriesMax - 1, bytesMax: Self.limit) == .none)
    #expect(quota.take(bytes: 0, entries: DataQuota.entriesMax, bytesMax: Self.limit) == .refuse)
  }

  @Test("what the other stores take is not left to it")
  func shrinks() {
    var quota = DataQuota(bytesMax: Self.limit)
    #expect(quota.take(bytes: 100, entries: 1, bytesMax: 50) == .refuse)
    var none = DataQuota(bytesMax: -5)
    #expect(none.take(bytes: 0, entries: 0, bytesMax: -5) == .refuse)
  }

  @Test("it may write again when a twentieth is free, so that it is not let and refused by turns")
  func allows() {
    var quota = DataQuota(bytesMax: Self.limit)
    _ = quota.take(bytes: Self.limit, entries: 1, bytesMax: Self.limit)
    #expect(quota.take(bytes: Self.limit - 1, entries: 1, bytesMax: Self.limit) == .hold)
    #expect(
      quota.take(bytes: Self.limit * 94 / 100, entries: 1, bytesMax: Self.limit) == .allow)
    #expect(quota.take(bytes: Self.limit, entries: 1, bytesMax: Self.limit) == .refuse)
  }

  @Test("growth in spite of the refusal ends the guest, what was on its way to the disk does not")
  func ends() {
    var quota = DataQuota(bytesMax: Self.limit)
    _ = quota.take(bytes: Self.limit, entries: 1, bytesMax: Self.limit)
    let settled = Self.limit + DataQuota.settlingBytes
    #expect(quota.take(bytes: settled, entries: 1, bytesMax: Self.limit) == .hold)
    #expect(quota.take(bytes: settled + 1, entries: 1, bytesMax: Self.limit) == .end)
    #expect(
      quota.take(bytes: 0, entries: 2 + DataQuota.settlingEntries, bytesMax: Self.limit) == .end)
  }

  @Test(
    "the nearer the limit the sooner the next count, and never more than a twentieth of the time")
  func pauses() {
    let quota = DataQuota(bytesMax: 100 << 30)
    func pause(left: Int64, counting: Duration = .zero) -> Duration {
      quota.pause(bytes: (100 << 30) - left, counting: counting)
    }
    #expect(pause(left: 100 << 30) == .seconds(10))
    #expect(pause(left: 2 << 30) == .seconds(2))
    #expect(pause(left: 0) == .milliseconds(100))
    #expect(pause(left: -5) == .milliseconds(100))
    #expect(pause(left: 0, counting: .milliseconds(50)) == .seconds(1))
    #expect(pause(left: 0, counting: .seconds(30)) == .seconds(10), "however long counting takes")
  }
}
