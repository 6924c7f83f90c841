// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Meter

extension PriceBook {
  /// The book in the shape an operator writes it (`PriceBookSource`), with tiers spelt out.
  var json: JSONValue {
    ["version": .array(versions.map(\.json))]
  }
}

extension PriceVersion {
  fileprivate var json: JSONValue {
    [
      "number": .int(Int64(number)), "from": .string(from.rfc3339), "currency": .string(currency),
      "title": .string(title), "price": .array(prices.map(\.json)),
    ]
  }
}

extension Price {
  fileprivate var json: JSONValue {
    // Free units are a first tier that costs nothing.
    let free =
      tiers.count > 1 && tiers[0].micros == 0 && tiers[0].above == 0
      ? tiers[1].above : tiers.first?.above
    let paid =
      tiers.count > 1 && tiers[0].micros == 0 && tiers[0].above == 0
      ? tiers.dropFirst() : tiers[...]
    var object = JSONObject([
      ("sku", .string(sku)), ("title", .string(title)),
      ("meters", .array(meters.map { .string($0) })), ("unit", .string(unit.rawValue)),
      ("price", .string(Self.decimal(paid.first?.micros ?? 0, over: 1_000_000))),
    ])
    if let above = free, above > 0 {
      object["free"] = .string(Self.decimal(above, over: per))
    }
    if paid.count > 1 {
      object["tier"] = .array(
        paid.dropFirst().map {
          [
            "above": .string(Self.decimal($0.above, over: per)),
            "price": .string(Self.decimal($0.micros, over: 1_000_000)),
          ]
        })
    }
    return .object(object)
  }

  /// An exact decimal of at most six places, without zeros at its end.
  private static func decimal(_ amount: Int64, over unit: Int64) -> String {
    let micros = Int128(amount) * 1_000_000 / Int128(unit)
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000)
    guard rest > 0 else { return "\(whole)" }
    let digits = String(repeating: "0", count: 6 - "\(rest)".count) + "\(rest)"
    let trimmed = String(digits.reversed().drop { $0 == "0" }.reversed())
    return "\(whole).\(trimmed)"
  }
}
