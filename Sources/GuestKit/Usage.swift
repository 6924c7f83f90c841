// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// What the app used and what it costs: the figures its operator sees.
public struct Usage: Sendable {
  let host: Host

  /// What the app used since it was installed, by meter: `usage.get` in docs/PROTOCOL.md has the shape.
  public func get() async throws(GuestError) -> JSONValue {
    try await host.call("usage.get").result
  }

  /// What this month's (UTC) use costs so far.
  public func cost() async throws(GuestError) -> UsageCost {
    try UsageCost(await host.call("usage.cost").result)
  }
}

/// What was used in a month, line by line of the price book. Money is in millionths of the currency.
public struct UsageCost: Sendable, Equatable {
  public struct Line: Sendable, Equatable {
    public var sku: String
    public var priceVersion: Int64
    /// ISO 4217.
    public var currency: String
    public var micros: Int64
    /// In `unit`; `per` of them make one `pricingUnit`.
    public var quantity: Int64
    public var unit: String
    public var pricingUnit: String
    public var per: Int64
  }

  /// RFC 3339, inclusive and exclusive.
  public var since: String
  public var until: String
  public var lines: [Line]

  /// By currency; the exact sums of the lines.
  public var totals: [String: Int64] {
    lines.reduce(into: [:]) { $0[$1.currency, default: 0] += $1.micros }
  }

  init(_ json: JSONValue) throws(GuestError) {
    guard let since = json["since"]?.string, let until = json["until"]?.string,
      let lines = json["lines"]?.array
    else { throw .unexpectedAnswer("usage.cost answered without since, until or lines") }
    self.since = since
    self.until = until
    self.lines = []
    for line in lines { self.lines.append(try Line(line)) }
  }
}

extension UsageCost.Line {
  fileprivate init(_ json: JSONValue) throws(GuestError) {
    guard let sku = json["sku"]?.string, let version = json["priceVersion"]?.int,
      let currency = json["currency"]?.string, let micros = json["micros"]?.int,
      let quantity = json["quantity"]?.int, let unit = json["unit"]?.string,
      let pricingUnit = json["pricingUnit"]?.string, let per = json["per"]?.int
    else { throw .unexpectedAnswer("a line of usage.cost that lacks one of its fields") }
    self.init(
      sku: sku, priceVersion: version, currency: currency, micros: micros, quantity: quantity,
      unit: unit, pricingUnit: pricingUnit, per: per)
  }
}
