// SPDX-License-Identifier: Apache-2.0

/// How long each rollup is kept. Removing one loses no total: the next coarser one holds it.
public struct Retention: Sendable, Equatable {
  /// Seconds one-minute rollups are kept. 24 h.
  public var minutes: Int64 = 86_400
  /// Seconds one-hour rollups are kept. 30 d.
  public var hours: Int64 = 30 * 86_400
  /// Seconds one-day rollups are kept; nil keeps them for ever, about 30 bytes per app, meter and day.
  public var days: Int64?

  public init(minutes: Int64 = 86_400, hours: Int64 = 30 * 86_400, days: Int64? = nil) {
    self.minutes = minutes
    self.hours = hours
    self.days = days
  }
}

/// The three sizes of bucket.
package enum Bucket: String, CaseIterable, Sendable {
  case minute, hour, day

  package var seconds: Int64 {
    switch self {
    case .minute: 60
    case .hour: 3_600
    case .day: 86_400
    }
  }
  var microseconds: Int64 { seconds * 1_000_000 }
  var table: String { "rollup_\(rawValue)" }
  /// Name in `state` of the time before which the table holds everything.
  var untilName: String { "\(rawValue)_until" }
  /// Name in `state` of the oldest time the table still holds.
  var fromName: String { "\(rawValue)_from" }
  var coarser: Bucket? {
    switch self {
    case .minute: .hour
    case .hour: .day
    case .day: nil
    }
  }
}
