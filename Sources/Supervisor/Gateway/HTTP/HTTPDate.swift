// SPDX-License-Identifier: Apache-2.0

/// Dates as HTTP writes and reads them (RFC 9110 §5.6.7). Seconds since 1970, UTC, years 1970 to 9999.
package enum HTTPDate {
  private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// `Sun, 06 Nov 1994 08:49:37 GMT`.
  package static func text(_ seconds: Int) -> String {
    let seconds = max(0, min(seconds, 253_402_300_799))
    let (days, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civil(days)
    return "\(Self.days[days % 7]), \(two(day)) \(months[month - 1]) \(year) "
      + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) GMT"
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// Reads the three forms a recipient must accept; nil for anything else.
  package static func seconds(_ text: String) -> Int? {
    let words = text.split(whereSeparator: { $0 == " " || $0 == "-" || $0 == "," })
    if words.count == 6, text.hasSuffix(" GMT") {
      // Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT
      guard var year = Int(words[3]) else { return nil }
      // Two digits: RFC 9110 wants the century that is not more than 50 years ahead; nobody writes these any more.
      if words[3].utf8.count == 2 { year += year < 70 ? 2000 : 1900 }
      return seconds(year: year, month: words[2], day: words[1], time: words[4])
    }
    if words.count == 5, let year = Int(words[4]) {
      // Sun Nov  6 08:49:37 1994
      return seconds(year: year, month: words[1], day: words[2], time: words[3])
    }
    return nil
  }

  private static func seconds(
    year: Int, month: Substring, day: Substring, time: Substring
  ) -> Int? {
    guard let month = months.firstIndex(where: { $0 == month }), let day = Int(day),
      (1...31).contains(day), (1970...9999).contains(year)
    else { return nil }
    let clock = time.split(separator: ":").compactMap { Int($0) }
    guard clock.count == 3, (0...23).contains(clock[0]), (0...59).contains(clock[1]),
      (0...60).contains(clock[2])
    else { return nil }
    return daysSince1970(year, month + 1, day) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
  }

  /// Days to a date of the Gregorian calendar, by counting from 1 March so that the leap day is a year's last.
  private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
    return (year, month < 10 ? month + 3 : month - 9, dayOfYear - (153 * month + 2) / 5 + 1)
  }

  private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let era = year / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}
