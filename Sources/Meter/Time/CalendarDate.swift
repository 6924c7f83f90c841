// SPDX-License-Identifier: Apache-2.0

/// A date of the proleptic Gregorian calendar, in UTC. Exact integer arithmetic: a report must not
/// depend on a time zone database.
public struct CalendarDate: Sendable, Hashable, Comparable {
  public var year: Int
  /// 1 to 12.
  public var month: Int
  /// 1 to 31.
  public var day: Int

  public init(year: Int, month: Int, day: Int) {
    self.year = year
    self.month = month
    self.day = day
  }

  public static func < (left: CalendarDate, right: CalendarDate) -> Bool {
    (left.year, left.month, left.day) < (right.year, right.month, right.day)
  }

  /// Days since 1970-01-01. Counts in years that begin on 1 March, so that the leap day is the
  /// last day of its year.
  public var daysSinceEpoch: Int64 {
    let marchYear = Int64(month > 2 ? year : year - 1)
    let marchMonth = Int64((month + 9) % 12)
    let century = floorDivide(marchYear, 100)
    let dayOfYear = (153 * marchMonth + 2) / 5 + Int64(day) - 1
    return 365 * marchYear + floorDivide(marchYear, 4) - century + floorDivide(marchYear, 400)
      + dayOfYear - 719_468
  }

  public init(daysSinceEpoch: Int64) {
    let days = daysSinceEpoch + 719_468
    let era = floorDivide(days, 146_097)
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    month = Int(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
  }

  public static func daysIn(month: Int, of year: Int) -> Int {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
  }

  /// Midnight UTC at its start.
  public var start: WallTime { WallTime(seconds: daysSinceEpoch * 86_400) }

  /// The first day of the month after this date's.
  public var nextMonth: CalendarDate {
    month == 12
      ? CalendarDate(year: year + 1, month: 1, day: 1)
      : CalendarDate(year: year, month: month + 1, day: 1)
  }

  /// `2026-03-09`.
  public var text: String { "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))" }
}

extension WallTime {
  public var date: CalendarDate {
    CalendarDate(daysSinceEpoch: floorDivide(microseconds, 86_400_000_000))
  }

  /// RFC 3339 in UTC, whole seconds: `2026-03-09T07:00:00Z`. A fraction is cut off, never rounded.
  public var rfc3339: String {
    let day = date
    let inDay = Int(seconds - floorDivide(seconds, 86_400) * 86_400)
    guard (0...9_999).contains(day.year) else { return "\(day.text)T00:00:00Z" }
    // Written by the byte: a long report has hundreds of thousands of these.
    return String(unsafeUninitializedCapacity: 20) { bytes in
      var at = 0
      func put(_ value: Int, _ width: Int, _ end: UInt8) {
        var rest = value
        for place in stride(from: at + width - 1, through: at, by: -1) {
          bytes[place] = UInt8(48 + rest % 10)
          rest /= 10
        }
        bytes[at + width] = end
        at += width + 1
      }
      put(day.year, 4, UInt8(ascii: "-"))
      put(day.month, 2, UInt8(ascii: "-"))
      put(day.day, 2, UInt8(ascii: "T"))
      put(inDay / 3_600, 2, UInt8(ascii: ":"))
      put(inDay / 60 % 60, 2, UInt8(ascii: ":"))
      put(inDay % 60, 2, UInt8(ascii: "Z"))
      return at
    }
  }

  /// Reads `2026-03-09`, `2026-03-09T07:00:00Z`, a fraction of a second and offsets such as
  /// `+02:00`. Nil where the text is not such a time or names a day that does not exist.
  public init?(rfc3339 text: String) {
    var rest = Substring(text)
    guard let year = number(&rest, digits: 4), take(&rest, "-"),
      let month = number(&rest, digits: 2), take(&rest, "-"),
      let day = number(&rest, digits: 2),
      (1...12).contains(month), day >= 1, day <= CalendarDate.daysIn(month: month, of: year)
    else { return nil }
    let midnight = CalendarDate(year: year, month: month, day: day).start
    if rest.isEmpty {
      self = midnight
      return
    }
    guard take(&rest, "T") || take(&rest, "t") || take(&rest, " "),
      let clock = WallTime.clockMicroseconds(&rest), let offset = WallTime.offsetSeconds(&rest),
      rest.isEmpty
    else { return nil }
    self.init(microseconds: midnight.microseconds + clock - offset * 1_000_000)
  }

  private static func clockMicroseconds(_ rest: inout Substring) -> Int64? {
    guard let hour = number(&rest, digits: 2), take(&rest, ":"),
      let minute = number(&rest, digits: 2), take(&rest, ":"),
      let second = number(&rest, digits: 2), hour < 24, minute < 60, second < 60
    else { return nil }
    var micros = Int64(hour * 3_600 + minute * 60 + second) * 1_000_000
    guard take(&rest, ".") else { return micros }
    var scale: Int64 = 100_000
    let before = rest.count
    while let digit = rest.first?.wholeNumberValue, rest.first?.isASCII == true {
      micros += Int64(digit) * scale
      scale /= 10
      rest.removeFirst()
    }
    return rest.count < before ? micros : nil
  }

  private static func offsetSeconds(_ rest: inout Substring) -> Int64? {
    if take(&rest, "Z") || take(&rest, "z") { return 0 }
    let sign: Int64 = take(&rest, "-") ? -1 : take(&rest, "+") ? 1 : 0
    guard sign != 0, let hours = number(&rest, digits: 2), take(&rest, ":"),
      let minutes = number(&rest, digits: 2), hours < 24, minutes < 60
    else { return nil }
    return sign * Int64(hours * 3_600 + minutes * 60)
  }
}

private func number(_ rest: inout Substring, digits: Int) -> Int? {
  guard rest.count >= digits, rest.prefix(digits).allSatisfy({ $0.isASCII && $0.isNumber }) else {
    return nil
  }
  defer { rest.removeFirst(digits) }
  return Int(rest.prefix(digits))
}

private func take(_ rest: inout Substring, _ character: Character) -> Bool {
  guard rest.first == character else { return false }
  rest.removeFirst()
  return true
}

func padded(_ value: Int, _ width: Int) -> String {
  let digits = String(value.magnitude)
  let zeros = String(repeating: "0", count: max(0, width - digits.count))
  return (value < 0 ? "-" : "") + zeros + digits
}
