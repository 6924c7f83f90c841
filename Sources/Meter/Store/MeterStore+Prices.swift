// SPDX-License-Identifier: Apache-2.0
import SQLite

extension MeterStore {
  func priceBook() throws(SQLiteError) -> PriceBook {
    var versions: [PriceVersion] = []
    for row in try connection.run(
      "SELECT number, valid_from, valid_until, currency, title FROM price_version")
    {
      guard let number = row[0].int, let from = row[1].int, let until = row[2].int,
        let currency = row[3].string, let title = row[4].string
      else { continue }
      versions.append(
        PriceVersion(
          number: UInt32(number), from: WallTime(microseconds: from),
          until: WallTime(microseconds: until), currency: currency, title: title,
          prices: try prices(of: number)))
    }
    return PriceBook(versions: versions)
  }

  private func prices(of version: Int64) throws(SQLiteError) -> [Price] {
    var prices: [Price] = []
    for row in try connection.run(
      "SELECT sku, title, unit, per FROM price WHERE version = ? ORDER BY sku", .integer(version))
    {
      guard let sku = row[0].string, let title = row[1].string,
        let unit = PricingUnit(rawValue: row[2].string ?? ""), let per = row[3].int
      else { continue }
      let meters = try connection.run(
        "SELECT meter FROM price_meter WHERE version = ? AND sku = ? ORDER BY meter",
        .integer(version), .text(sku)
      ).compactMap { $0[0].string }
      let tiers = try connection.run(
        "SELECT above, micros FROM price_tier WHERE version = ? AND sku = ? ORDER BY above",
        .integer(version), .text(sku)
      ).map { Price.Tier(above: $0[0].int ?? 0, micros: $0[1].int ?? 0) }
      prices.append(
        Price(sku: sku, title: title, meters: meters, unit: unit, per: per, tiers: tiers))
    }
    return prices
  }

  /// Replaces the stored book. The caller has checked that no past is altered.
  func save(_ book: PriceBook) throws(SQLiteError) {
    for table in ["price_version", "price", "price_meter", "price_tier"] {
      try connection.run("DELETE FROM \(table)")
    }
    for version in book.versions {
      let number = SQLiteValue.integer(Int64(version.number))
      try connection.run(
        "INSERT INTO price_version VALUES (?, ?, ?, ?, ?)", number,
        .integer(version.from.microseconds), .integer(version.until.microseconds),
        .text(version.currency), .text(version.title))
      for price in version.prices {
        try connection.run(
          "INSERT INTO price VALUES (?, ?, ?, ?, ?)", number, .text(price.sku), .text(price.title),
          .text(price.unit.rawValue), .integer(price.per))
        for meter in price.meters {
          try connection.run(
            "INSERT INTO price_meter VALUES (?, ?, ?)", number, .text(price.sku), .text(meter))
        }
        for tier in price.tiers {
          try connection.run(
            "INSERT INTO price_tier VALUES (?, ?, ?, ?)", number, .text(price.sku),
            .integer(tier.above), .integer(tier.micros))
        }
      }
    }
  }

  func positions() throws(SQLiteError) -> [Pricing.Item: Pricing.Position] {
    var found: [Pricing.Item: Pricing.Position] = [:]
    for row in try connection.run("SELECT app, sku, month, quantity FROM spent") {
      guard let app = row[0].string, let sku = row[1].string, let month = row[2].int,
        let quantity = row[3].int
      else { continue }
      found[.init(app: app, sku: sku)] = .init(
        month: WallTime(microseconds: month), quantity: quantity)
    }
    return found
  }

  func save(positions: [Pricing.Item: Pricing.Position]) throws(SQLiteError) {
    for (item, position) in positions {
      try connection.run(
        """
        INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
          month = excluded.month, quantity = excluded.quantity
        """,
        .text(item.app), .text(item.sku), .integer(position.month.microseconds),
        .integer(position.quantity))
    }
  }
}
