// SPDX-License-Identifier: Apache-2.0

/// What the book keeps: one quantity of one meter, for one app, over one interval.
///
/// A line belongs to the minute, hour and day in which its interval starts.
public struct MeterLine: Sendable, Equatable {
  public var app: String
  public var meter: String
  /// Whole units of the meter; never negative.
  public var quantity: Int64
  public var start: WallTime
  /// Exclusive.
  public var end: WallTime
  /// The destination of traffic, the kind of storage, the outcome of a run; nil where the meter has
  /// no label.
  public var destination: String?
  public var source: SampleSource

  public init(
    app: String, meter: String, quantity: Int64, start: WallTime, end: WallTime,
    destination: String? = nil, source: SampleSource
  ) {
    self.app = app
    self.meter = meter
    self.quantity = quantity
    self.start = start
    self.end = end
    self.destination = destination
    self.source = source
  }

  var key: SeriesKey {
    SeriesKey(app: app, meter: meter, label: destination ?? "", source: source)
  }

  init(_ key: SeriesKey, quantity: Int64, start: WallTime, end: WallTime) {
    self.init(
      app: key.app, meter: key.meter, quantity: quantity, start: start, end: end,
      destination: key.label.isEmpty ? nil : key.label, source: key.source)
  }
}
