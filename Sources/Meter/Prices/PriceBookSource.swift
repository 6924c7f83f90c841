// SPDX-License-Identifier: Apache-2.0

/// A price book as an operator writes it (TOML or JSON), before it is checked. Numbers that mean
/// money or quantities are decimal strings.
///
/// ```toml
/// currency = "EUR"
/// [[version]]
/// number = 1
/// from = "2026-01-01"
/// [[version.price]]
/// sku = "cpu"
/// meters = ["cpu.user", "cpu.system", "cpu.host"]
/// unit = "core-hour"
/// price = "0.021"
/// free = "10"                       # core-hours each month
/// tier = [{ above = "1000", price = "0.015" }]
/// ```
public struct PriceBookSource: Sendable, Equatable, Codable {
  public var currency: String
  public var version: [Version]

  public struct Version: Sendable, Equatable, Codable {
    public var number: Int
    /// A date, or midnight UTC of one.
    public var from: String
    public var until: String?
    /// Overrides the book's.
    public var currency: String?
    public var title: String?
    public var price: [Price]

    public init(
      number: Int, from: String, until: String? = nil, currency: String? = nil,
      title: String? = nil, price: [Price]
    ) {
      self.number = number
      self.from = from
      self.until = until
      self.currency = currency
      self.title = title
      self.price = price
    }
  }

  public struct Price: Sendable, Equatable, Codable {
    public var sku: String
    public var title: String?
    public var meters: [String]
    public var unit: String
    /// Of the currency, per unit: at most six places.
    public var price: String
    /// Units each calendar month that cost nothing.
    public var free: String?
    public var tier: [Tier]?

    public init(
      sku: String, title: String? = nil, meters: [String], unit: String, price: String,
      free: String? = nil, tier: [Tier]? = nil
    ) {
      self.sku = sku
      self.title = title
      self.meters = meters
      self.unit = unit
      self.price = price
      self.free = free
      self.tier = tier
    }
  }

  public struct Tier: Sendable, Equatable, Codable {
    /// Units in the month, free ones included.
    public var above: String
    public var price: String

    public init(above: String, price: String) {
      self.above = above
      self.price = price
    }
  }

  public init(currency: String, version: [Version]) {
    self.currency = currency
    self.version = version
  }
}

/// One thing wrong with a price book: where, what, and what to do.
public struct PriceProblem: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: String, Sendable {
    case badNumber, badDate, badCurrency, currencyChange, overlap, duplicate, unknownMeter, badUnit
    case badTier, alteredPast, tooLate, empty
  }
  public var kind: Kind
  /// Such as `version[2].price[0].unit`.
  public var path: String
  public var message: String

  public var description: String { "\(path): \(message)" }
}

/// Every problem of a price book, at once.
public struct PriceProblems: Error, Sendable, Equatable, CustomStringConvertible {
  public var problems: [PriceProblem]
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
