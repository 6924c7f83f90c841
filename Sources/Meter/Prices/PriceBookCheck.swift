// SPDX-License-Identifier: Apache-2.0

/// Turns a source into a book, or lists all that is wrong with it.
struct PriceBookCheck {
  let meters: [String: MeterDefinition]
  private var problems: [PriceProblem] = []

  init(meters: [String: MeterDefinition]) { self.meters = meters }

  /// - Throws: every problem found.
  static func check(
    _ source: PriceBookSource, meters: [String: MeterDefinition]
  ) throws(PriceProblems) -> PriceBook {
    var check = PriceBookCheck(meters: meters)
    let book = check.book(source)
    guard check.problems.isEmpty, let book else {
      throw PriceProblems(problems: check.problems)
    }
    return book
  }

  private mutating func note(_ kind: PriceProblem.Kind, _ path: String, _ message: String) {
    problems.append(PriceProblem(kind: kind, path: path, message: message))
  }

  private mutating func book(_ source: PriceBookSource) -> PriceBook? {
    if source.version.isEmpty { note(.empty, "version", "there is no version; write at least one") }
    let parsed = source.version.enumerated().compactMap { index, version in
      self.version(version, currency: source.currency, path: "version[\(index)]")
    }
    guard parsed.count == source.version.count else { return nil }
    var versions = parsed.sorted { $0.from < $1.from }
    for index in versions.indices.dropLast() {
      let next = versions[index + 1]
      if versions[index].until == .distantFuture, versions[index].from < next.from {
        versions[index].until = next.from
      }
      checkNeighbours(versions[index], next)
    }
    let numbers = versions.map(\.number)
    if Set(numbers).count < numbers.count {
      note(.duplicate, "version", "two versions have the same number; charges cite the number")
    }
    return PriceBook(versions: versions)
  }

  private mutating func checkNeighbours(_ earlier: PriceVersion, _ later: PriceVersion) {
    let path = "version \(later.number)"
    if earlier.until > later.from {
      note(
        .overlap, path,
        "starts \(later.from.date.text), before version \(earlier.number) ends "
          + "(\(earlier.until == .distantFuture ? "open" : earlier.until.date.text)); "
          + "end that one first")
    }
    if earlier.currency != later.currency, later.from.date.day != 1 {
      note(
        .currencyChange, path,
        "changes the currency from \(earlier.currency) to \(later.currency) on "
          + "\(later.from.date.text), in the middle of a month; start it on the 1st")
    }
  }

  private mutating func version(
    _ source: PriceBookSource.Version, currency: String, path: String
  ) -> PriceVersion? {
    let before = problems.count
    let number = UInt32(exactly: source.number) ?? 0
    if number == 0 { note(.badNumber, "\(path).number", "must be 1 or more") }
    let from = midnight(source.from, "\(path).from")
    let until = source.until.map { midnight($0, "\(path).until") } ?? .distantFuture
    if let from, let until, until <= from {
      note(.badDate, "\(path).until", "is not after \(from.date.text)")
    }
    let currency = source.currency ?? currency
    if ISO4217.number(of: currency) == nil {
      note(.badCurrency, "\(path).currency", "\(currency) is not a currency code of ISO 4217")
    }
    let prices = source.price.enumerated().compactMap { index, price in
      self.price(price, path: "\(path).price[\(index)]")
    }
    var seen: Set<String> = []
    for meter in prices.flatMap(\.meters) where !seen.insert(meter).inserted {
      note(.duplicate, path, "meter \(meter) is priced twice; a quantity is charged once")
    }
    if Set(prices.map(\.sku)).count < prices.count {
      note(.duplicate, path, "two prices have the same sku")
    }
    guard problems.count == before, let from, let until else { return nil }
    return PriceVersion(
      number: number, from: from, until: until, currency: currency, title: source.title ?? "",
      prices: prices)
  }

  private mutating func midnight(_ text: String, _ path: String) -> WallTime? {
    guard let time = WallTime(rfc3339: text), time == time.date.start else {
      note(.badDate, path, "\(text) is not a date such as 2026-01-31 (a day in UTC)")
      return nil
    }
    return time
  }

  private mutating func price(_ source: PriceBookSource.Price, path: String) -> Price? {
    let letters = source.sku.utf8.allSatisfy {
      ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 46 || $0 == 95
    }
    guard letters, !source.sku.isEmpty, source.sku.utf8.count <= 40 else {
      note(.badNumber, "\(path).sku", "needs 1 to 40 of a-z, 0-9, dot and underscore")
      return nil
    }
    guard let per = per(source, path: path), let unit = PricingUnit(rawValue: source.unit) else {
      return nil
    }
    guard let base = micros(source.price, "\(path).price") else { return nil }
    var tiers = [Price.Tier(above: 0, micros: base)]
    if let free = source.free {
      guard let amount = amount(free, per, "\(path).free") else { return nil }
      if amount > 0 { tiers = [.init(above: 0, micros: 0), .init(above: amount, micros: base)] }
    }
    for (index, tier) in (source.tier ?? []).enumerated() {
      let place = "\(path).tier[\(index)]"
      guard let above = amount(tier.above, per, "\(place).above"),
        let micros = micros(tier.price, "\(place).price")
      else { return nil }
      guard above > (tiers.last?.above ?? 0) else {
        note(.badTier, "\(place).above", "must be more than the tier before it (and than free)")
        return nil
      }
      tiers.append(.init(above: above, micros: micros))
    }
    return Price(
      sku: source.sku, title: source.title ?? source.sku, meters: source.meters, unit: unit,
      per: per, tiers: tiers)
  }

  /// Meter units in one priced unit, the same for all meters of the price.
  private mutating func per(_ source: PriceBookSource.Price, path: String) -> Int64? {
    guard let unit = PricingUnit(rawValue: source.unit) else {
      let known = PricingUnit.allCases.map(\.rawValue).joined(separator: ", ")
      note(.badUnit, "\(path).unit", "\(source.unit) is not one of \(known)")
      return nil
    }
    if source.meters.isEmpty { note(.empty, "\(path).meters", "names no meter") }
    var found: Set<Int64> = []
    for name in source.meters {
      guard let meter = meters[name] else {
        note(.unknownMeter, "\(path).meters", "there is no meter \(name)")
        continue
      }
      guard meter.kind == .counter, let per = unit.per(meter.unit) else {
        note(
          .badUnit, "\(path).meters",
          "\(name) counts \(meter.unit.rawValue) (\(meter.kind.rawValue)) and cannot be sold by "
            + source.unit)
        continue
      }
      found.insert(per)
    }
    if found.count > 1 { note(.badUnit, "\(path).meters", "these meters do not add up") }
    return found.count == 1 ? found.first : nil
  }

  private mutating func micros(_ text: String, _ path: String) -> Int64? {
    guard let value = Decimal6(text), value.millionths <= 1_000_000_000_000 else {
      note(
        .badNumber, path,
        "\(text) is not a price: digits with at most six places, up to 1000000. "
          + "For smaller prices take a larger unit")
      return nil
    }
    return value.millionths
  }

  private mutating func amount(_ text: String, _ per: Int64, _ path: String) -> Int64? {
    guard let value = Decimal6(text) else {
      note(.badNumber, path, "\(text) is not a quantity: digits with at most six places")
      return nil
    }
    let units = Int128(value.millionths) * Int128(per)
    guard units % 1_000_000 == 0, let amount = Int64(exactly: units / 1_000_000) else {
      note(.badNumber, path, "\(text) is too large or no whole number of what is measured")
      return nil
    }
    return amount
  }
}

extension PriceBookSource {
  /// The book, if nothing is wrong with it.
  /// - Parameter meters: what can be priced; the built-in meters if none are given.
  /// - Throws: every problem, each with its path.
  public func checked(meters: [MeterDefinition] = Meters.all) throws(PriceProblems) -> PriceBook {
    var known: [String: MeterDefinition] = [:]
    for meter in meters { known[meter.name] = meter }
    return try PriceBookCheck.check(self, meters: known)
  }
}
