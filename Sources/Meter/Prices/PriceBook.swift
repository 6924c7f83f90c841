// SPDX-License-Identifier: Apache-2.0

/// Prices over time. Valid by construction: made from a `PriceBookSource` that had no problems.
public struct PriceBook: Sendable, Equatable {
  /// By `from`, without overlap.
  public internal(set) var versions: [PriceVersion]

  init(versions: [PriceVersion]) { self.versions = versions.sorted { $0.from < $1.from } }

  /// No prices: everything is measured, nothing is charged.
  public static let empty = PriceBook(versions: [])

  /// The version in force at a time; nil where there is none.
  public func version(at time: WallTime) -> PriceVersion? {
    versions.last { $0.from <= time && time < $0.until }
  }

  public func version(number: UInt32) -> PriceVersion? {
    versions.first { $0.number == number }
  }
}

/// The prices of one stretch of time. Never changed once it began.
public struct PriceVersion: Sendable, Equatable {
  /// Cited by every charge.
  public var number: UInt32
  /// Midnight UTC.
  public var from: WallTime
  /// Exclusive; the next version's start where none was given.
  public var until: WallTime
  /// ISO 4217, three letters.
  public var currency: String
  public var title: String
  public var prices: [Price]

  public func price(of meter: String) -> Price? { prices.first { $0.meters.contains(meter) } }
}

/// What one thing costs: a piecewise linear function of what was used in a month.
public struct Price: Sendable, Equatable {
  /// Short name, such as `cpu`: one line of a bill.
  public var sku: String
  public var title: String
  /// The meters that add up to the quantity. All have the same unit.
  public var meters: [String]
  public var unit: PricingUnit
  /// Meter units in one `unit`.
  public var per: Int64
  /// By `above`; the first is above zero.
  public var tiers: [Tier]

  public struct Tier: Sendable, Equatable {
    /// Meter units in the month, free ones included, from which on this price holds.
    public var above: Int64
    /// Millionths of the currency per `unit`.
    public var micros: Int64

    public init(above: Int64, micros: Int64) {
      self.above = above
      self.micros = micros
    }
  }

  /// What the first `quantity` of a month costs, exactly: millionths times `per`.
  func exact(_ quantity: Int64) -> Int128 {
    var sum: Int128 = 0
    for (index, tier) in tiers.enumerated() where quantity > tier.above {
      let end = index + 1 < tiers.count ? min(quantity, tiers[index + 1].above) : quantity
      sum += Int128(end - tier.above) * Int128(tier.micros)
    }
    return sum
  }

  /// The same in whole millionths, a half rounded up.
  ///
  /// What is used between two moments of a month costs the difference of this function: so charges
  /// of any intervals add up to the month's charge exactly, and later use never changes them.
  public func cost(upTo quantity: Int64) -> Int64 {
    let doubled = exact(quantity) * 2 + Int128(per)
    return Int64(clamping: doubled / (2 * Int128(per)))
  }
}
