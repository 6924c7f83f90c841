// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter
import Testing

@Suite("UTC arithmetic")
struct TimeTests {
  @Test("every day from 1600 to 2400 agrees with the calendar of Foundation")
  func days() throws {
    var calendar = Calendar(identifier: .iso8601)
    calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
    let first = CalendarDate(year: 1600, month: 1, day: 1).daysSinceEpoch
    let last = CalendarDate(year: 2400, month: 12, day: 31).daysSinceEpoch
    for day in stride(from: first, through: last, by: 1) {
      let ours = CalendarDate(daysSinceEpoch: day)
      #expect(ours.daysSinceEpoch == day)
      guard day % 37 == 0 || ours.day == 29 else { continue }
      let parts = calendar.dateComponents(
        [.year, .month, .day], from: Date(timeIntervalSince1970: Double(day) * 86_400))
      #expect(ours == CalendarDate(year: parts.year!, month: parts.month!, day: parts.day!))
    }
  }

  @Test("RFC 3339 times are read and written, offsets and fractions included")
  func text() {
    let time = WallTime(rfc3339: "2026-03-09T07:08:09.250+02:00")
    #expect(time?.rfc3339 == "2026-03-09T05:08:09Z")
    #expect(time?.microseconds == WallTime(rfc3339: "2026-03-09T05:08:09Z")!.microseconds + 250_000)
    #expect(WallTime(rfc3339: "2026-03-09")?.rfc3339 == "2026-03-09T00:00:00Z")
    #expect(WallTime(rfc3339: "1969-12-31T23:59:59Z")?.seconds == -1)
  }

  @Test(
    "what is no time is refused",
    arguments: [
      "", "2026", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-32", "2026-01-01T24:00:00Z",
      "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Z ", "2026-1-1",
      "２０２６-01-01", "2026-01-01T00:00:00+2:00",
    ])
  func refused(text: String) { #expect(WallTime(rfc3339: text) == nil) }

  @Test("buckets start at multiples of their length, before 1970 too")
  func buckets() {
    #expect(WallTime(seconds: -1).floored(toSeconds: 3_600).seconds == -3_600)
    #expect(WallTime(seconds: 3_600).ceiled(toSeconds: 3_600).seconds == 3_600)
    #expect(WallTime(microseconds: 3_600_000_001).ceiled(toSeconds: 3_600).seconds == 7_200)
  }
}
