// SPDX-License-Identifier: Apache-2.0

/// When a schedule is due: the five fields of crontab(5): minute, hour, day of month, month, day of week.
///
/// A field is `*`, a number, a range `a-b`, a step `*/n` or `a-b/n`, or a list of those with commas. Months and
/// days of the week may be names of three letters; 0 and 7 are both Sunday. As in crontab(5), when day of month
/// and day of week are both restricted, a day that matches either is due.
public struct CronExpression: Sendable, Equatable, Hashable {
  /// Bit n stands for the value n.
  public var minutes: UInt64
  public var hours: UInt64
  public var daysOfMonth: UInt64
  public var months: UInt64
  /// Sunday is bit 0.
  public var daysOfWeek: UInt64
  /// Whether the day fields were written with a leading `*`, which decides how the two combine.
  public var anyDayOfMonth: Bool
  public var anyDayOfWeek: Bool

  /// Reads an expression; throws a reason in words.
  public init(_ text: String) throws(CronError) {
    let fields = text.split(separator: " ", omittingEmptySubsequences: true)
    guard fields.count == 5, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
      throw CronError("has \(fields.count) fields where a cron expression has 5")
    }
    minutes = try CronField.minute.bits(fields[0])
    hours = try CronField.hour.bits(fields[1])
    daysOfMonth = try CronField.dayOfMonth.bits(fields[2])
    months = try CronField.month.bits(fields[3])
    let days = try CronField.dayOfWeek.bits(fields[4])
    daysOfWeek = (days | days >> 7) & 0x7f
    anyDayOfMonth = fields[2].hasPrefix("*")
    anyDayOfWeek = fields[4].hasPrefix("*")
    guard isPossible else { throw CronError("names a day that no month has") }
  }

  /// Whether such a date exists: `0 0 30 2 *` never comes.
  private var isPossible: Bool {
    guard anyDayOfWeek else { return true }
    let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1...12).contains { month in
      months & 1 << month != 0
        && (1...lengths[month - 1]).contains { daysOfMonth & 1 << $0 != 0 }
    }
  }

  /// Whether a local date and time is due. `dayOfWeek` counts from Sunday, 0.
  public func matches(minute: Int, hour: Int, day: Int, month: Int, dayOfWeek: Int) -> Bool {
    guard minutes & 1 << minute != 0, hours & 1 << hour != 0, months & 1 << month != 0 else {
      return false
    }
    let dayOfMonthMatches = daysOfMonth & 1 << day != 0
    let dayOfWeekMatches = daysOfWeek & 1 << dayOfWeek != 0
    return anyDayOfMonth || anyDayOfWeek
      ? dayOfMonthMatches && dayOfWeekMatches
      : dayOfMonthMatches || dayOfWeekMatches
  }
}

/// Why some text is not a cron expression.
public struct CronError: Error, Sendable, Equatable {
  public var reason: String
  init(_ reason: String) { self.reason = reason }
}

/// One of the five fields: its name, its bounds and the words it knows.
private struct CronField {
  var name: String
  var bounds: ClosedRange<Int>
  var words: [String] = []

  static let minute = CronField(name: "minute", bounds: 0...59)
  static let hour = CronField(name: "hour", bounds: 0...23)
  static let dayOfMonth = CronField(name: "day of month", bounds: 1...31)
  static let month = CronField(
    name: "month", bounds: 1...12,
    words: [
      "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ])
  static let dayOfWeek = CronField(
    name: "day of week", bounds: 0...7,
    words: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

  func bits(_ text: Substring) throws(CronError) -> UInt64 {
    var bits: UInt64 = 0
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = item.split(separator: "/", omittingEmptySubsequences: false)
      guard (1...2).contains(parts.count) else { throw wrong(item) }
      var step = 1
      if parts.count == 2 {
        guard let number = Self.digits(parts[1]), number >= 1, number <= bounds.upperBound else {
          throw CronError("has a step \"\(parts[1])\" in the \(name) field that makes no sense")
        }
        step = number
      }
      let range = try range(parts[0], hasStep: parts.count == 2)
      for value in stride(from: range.lowerBound, through: range.upperBound, by: step) {
        bits |= 1 << value
      }
    }
    return bits
  }

  private func range(_ text: Substring, hasStep: Bool) throws(CronError) -> ClosedRange<Int> {
    if text == "*" { return bounds }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    guard (1...2).contains(ends.count) else { throw wrong(text) }
    let first = try number(ends[0])
    if ends.count == 1 {
      // `5/10` means "from 5 on, every 10" to some and nothing to others; crontab(5) wants a range.
      guard !hasStep else {
        throw CronError("has a step after a single number in the \(name) field")
      }
      return first...first
    }
    let last = try number(ends[1])
    guard first <= last else {
      throw CronError("has a range \"\(text)\" in the \(name) field that runs backwards")
    }
    return first...last
  }

  private func number(_ text: Substring) throws(CronError) -> Int {
    if let word = words.firstIndex(of: text.lowercased()) {
      return word + (bounds.lowerBound == 1 ? 1 : 0)
    }
    guard let number = Self.digits(text), bounds.contains(number) else { throw wrong(text) }
    return number
  }

  /// Digits only: `Int("+5")` would be 5.
  private static func digits(_ text: Substring) -> Int? {
    guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    return Int(text)
  }

  private func wrong(_ text: Substring) -> CronError {
    CronError(
      "has \"\(text)\" in the \(name) field, which takes \(bounds.lowerBound) to \(bounds.upperBound)"
    )
  }
}
