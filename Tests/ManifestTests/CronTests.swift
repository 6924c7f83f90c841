// SPDX-License-Identifier: Apache-2.0

import Manifest
import Testing

@Suite("Cron expressions")
struct CronTests {
  @Test("the fields become the minutes, hours and days they name")
  func fields() throws {
    let cron = try CronExpression("*/15 9-17 1,15 * mon-fri")
    #expect(cron.minutes == 1 | 1 << 15 | 1 << 30 | 1 << 45)
    #expect(cron.hours == (9...17).reduce(UInt64(0)) { $0 | 1 << UInt64($1) })
    #expect(cron.daysOfMonth == 1 << 1 | 1 << 15)
    #expect(cron.months == (1...12).reduce(UInt64(0)) { $0 | 1 << UInt64($1) })
    #expect(cron.daysOfWeek == 0b011_1110)
  }

  @Test("0, 7 and sun are all Sunday")
  func sunday() throws {
    let expected = try CronExpression("0 0 * * 0").daysOfWeek
    #expect(try CronExpression("0 0 * * 7").daysOfWeek == expected)
    #expect(try CronExpression("0 0 * * SUN").daysOfWeek == expected)
  }

  @Test("with both day fields restricted either is enough, as crontab(5) has it")
  func eitherDay() throws {
    let cron = try CronExpression("0 0 13 * 5")
    #expect(cron.matches(minute: 0, hour: 0, day: 13, month: 2, dayOfWeek: 1))
    #expect(cron.matches(minute: 0, hour: 0, day: 14, month: 2, dayOfWeek: 5))
    #expect(!cron.matches(minute: 0, hour: 0, day: 14, month: 2, dayOfWeek: 1))
    let weekdays = try CronExpression("0 7 * * 1-5")
    #expect(!weekdays.matches(minute: 0, hour: 7, day: 13, month: 2, dayOfWeek: 0))
  }

  @Test(
    "text that is not five fields of the right numbers is refused",
    arguments: [
      "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
      "* * * 13 * ", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "*/60 * * * *", "5/10 * * * *",
      "1,,2 * * * *", "a * * * *", "+5 * * * *", "-5 * * * *", "1-2-3 * * * *", "* * * foo *",
      "@daily", "0 0 30 2 *", "0 0 31 4,6 *", "*/2/3 * * * *", "٣ * * * *", "*\t* * * *",
    ])
  func refused(text: String) {
    #expect(throws: CronError.self) { try CronExpression(text) }
  }
}
