// SPDX-License-Identifier: Apache-2.0

/// A length of time to the millisecond, written `500ms`, `10s`, `15m`, `2h` or `7d`.
public struct TimeSpan: Sendable, Equatable, Hashable, Comparable {
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static func seconds(_ count: Int64) -> TimeSpan { TimeSpan(milliseconds: count * 1_000) }
  public static func minutes(_ count: Int64) -> TimeSpan { .seconds(count * 60) }
  public static func hours(_ count: Int64) -> TimeSpan { .minutes(count * 60) }
  public static func days(_ count: Int64) -> TimeSpan { .hours(count * 24) }

  public var duration: Duration { .milliseconds(milliseconds) }

  public static func < (left: TimeSpan, right: TimeSpan) -> Bool {
    left.milliseconds < right.milliseconds
  }

  private static let units: [(name: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
  ]

  /// Reads a whole number and a unit; nil if the text is anything else or overflows int64.
  public init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let name = String(text.dropFirst(digits.count))
    guard let count = Int64(digits), let unit = Self.units.first(where: { $0.name == name }) else {
      return nil
    }
    let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
    guard !overflow else { return nil }
    self.milliseconds = milliseconds
  }
}

extension TimeSpan: CustomStringConvertible {
  /// The span in the largest unit that keeps it whole, such as `90s`.
  public var description: String {
    for unit in Self.units
    where milliseconds != 0 && milliseconds.isMultiple(of: unit.milliseconds) {
      return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
    return "\(milliseconds)ms"
  }
}
