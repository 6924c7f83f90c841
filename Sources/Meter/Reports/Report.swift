// SPDX-License-Identifier: Apache-2.0

/// What a report is about.
public struct ReportQuery: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable { case usage, cost }
  public enum Dimension: String, Sendable, CaseIterable { case app, day, hour, meter, destination }

  public var kind: Kind
  /// Only these; all if empty.
  public var apps: [String]
  /// What rows are kept apart by. Together they make a row; nothing gives one row for everything.
  public var by: [Dimension]
  /// Inclusive.
  public var since: WallTime
  /// Exclusive.
  public var until: WallTime

  public init(
    kind: Kind, apps: [String] = [], by: [Dimension] = [.app], since: WallTime, until: WallTime
  ) {
    self.kind = kind
    self.apps = apps
    self.by = by
    self.since = since
    self.until = until
  }
}

/// Figures for a time, ready to be written as a table, JSON, CSV or a page. Rows sum to the totals
/// exactly.
public struct Report: Sendable, Equatable {
  /// One quantity of one meter, or of one priced thing.
  public struct Row: Sendable, Equatable {
    /// Nil where rows are not kept apart by app.
    public var app: String?
    public var start: WallTime
    /// Exclusive.
    public var end: WallTime
    /// In a usage report the meter, in a cost report the sku.
    public var item: String
    /// Destination, kind or outcome; nil where rows are not kept apart by it.
    public var label: String?
    public var quantity: Int64
    public var unit: MeterUnit
    /// The column of a table it belongs to, if any.
    public var family: ResourceFamily?
    /// In a cost report: millionths, their currency and the version of the price.
    public var charge: Charge?
  }

  public struct Charge: Sendable, Equatable {
    public var micros: Int64
    public var currency: String
    public var version: UInt32
  }

  public struct Total: Sendable, Equatable {
    public var item: String
    public var title: String
    public var unit: MeterUnit
    public var quantity: Int64
  }

  /// Use over time, for sparklines and charts: one value a bucket and app.
  public struct Timeline: Sendable, Equatable {
    public var starts: [WallTime]
    public var bucketSeconds: Int64
    /// By family, then app, in the order of `starts`.
    public var values: [ResourceFamily: [String: [Int64]]]
    /// Charges in millionths: by currency, then app.
    public var money: [String: [String: [Int64]]]
  }

  /// A level: bytes of one kind.
  public struct Held: Sendable, Equatable {
    public var app: String
    public var meter: String
    /// `sqlite`, `data`, `objects`, `logs`, `code`.
    public var label: String
    public var bytes: Int64
  }

  public var kind: ReportQuery.Kind
  public var by: [ReportQuery.Dimension]
  /// As answered: may be wider than asked where only coarser rollups are kept; `notes` says so.
  public var since: WallTime
  public var until: WallTime
  public var generatedAt: WallTime
  /// The last tick: nothing after it is in the figures.
  public var measuredUntil: WallTime
  public var rows: [Row]
  /// Usage: by meter. Cost: by sku, quantities.
  public var totals: [Total]
  /// Cost: by currency, millionths.
  public var money: [String: Int64]
  public var timeline: Timeline
  /// Where each app's CPU and memory were read.
  public var sources: [String: [SampleSource]]
  /// Usage up to now: what is held on disk, as last read. Empty for a time that is over: levels are kept only over time.
  public var held: [Held]
  public var gaps: [MeterGap]
  /// What a reader must know: moved bounds, unpriced use.
  public var notes: [String]
  /// For prices cited by rows.
  public var prices: PriceBook
}
