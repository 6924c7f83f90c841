// SPDX-License-Identifier: Apache-2.0

/// Turns the lines of an interval into charges, under the prices in force when each line began.
///
/// A charge is itself a line: of the meter `cost.<sku>`, labelled with its currency and price
/// version, in millionths. So it is stored with what it charges for, rolled up with it, and no later
/// change of prices can alter it.
struct Pricing: Sendable {
  struct Position: Sendable, Equatable {
    var month: WallTime
    /// Meter units of the sku in that month.
    var quantity: Int64
  }
  struct Item: Sendable, Hashable {
    var app: String
    var sku: String
  }

  var book: PriceBook
  private(set) var positions: [Item: Position]

  init(book: PriceBook = .empty, positions: [Item: Position] = [:]) {
    self.book = book
    self.positions = positions
  }

  static func meterName(sku: String) -> String { "cost.\(sku)" }
  static func sku(ofMeter name: String) -> String? {
    name.hasPrefix("cost.") ? String(name.dropFirst(5)) : nil
  }
  static func label(_ version: PriceVersion) -> String { "\(version.currency) v\(version.number)" }

  /// The currency and price version a charge cites.
  static func citation(_ label: String) -> (currency: String, version: UInt32)? {
    let parts = label.split(separator: " ")
    guard parts.count == 2, parts[1].first == "v", let number = UInt32(parts[1].dropFirst()) else {
      return nil
    }
    return (String(parts[0]), number)
  }

  /// The charges for `lines`, and moves each app's position in its month.
  mutating func charge(_ lines: [MeterLine]) -> (charges: [MeterLine], moved: [Item: Position]) {
    guard !book.versions.isEmpty else { return ([], [:]) }
    var charges: [SeriesKey: MeterLine] = [:]
    var moved: [Item: Position] = [:]
    for line in lines.sorted(by: { ($0.start, $0.app, $0.meter) < ($1.start, $1.app, $1.meter) }) {
      guard let version = book.version(at: line.start), let price = version.price(of: line.meter)
      else { continue }
      let item = Item(app: line.app, sku: price.sku)
      let month = Self.month(of: line.start)
      var position = positions[item] ?? Position(month: month, quantity: 0)
      if position.month < month { position = Position(month: month, quantity: 0) }
      let before = position.quantity
      position.quantity = Int64(clamping: Int128(before) + Int128(line.quantity))
      positions[item] = position
      moved[item] = position
      let micros = price.cost(upTo: position.quantity) - price.cost(upTo: before)
      guard micros > 0 else { continue }
      let key = SeriesKey(
        app: line.app, meter: Self.meterName(sku: price.sku), label: Self.label(version),
        source: .host)
      charges[key, default: MeterLine(key, quantity: 0, start: line.start, end: line.end)]
        .quantity += micros
    }
    return (Array(charges.values), moved)
  }

  /// Takes back what `charge` moved, when its interval could not be written.
  mutating func restore(_ old: [Item: Position]) { positions = old }

  static func month(of time: WallTime) -> WallTime {
    let date = time.date
    return CalendarDate(year: date.year, month: date.month, day: 1).start
  }

  /// The meters charges are stored under.
  static func definitions(for book: PriceBook) -> [MeterDefinition] {
    var found: [String: MeterDefinition] = [:]
    for price in book.versions.flatMap(\.prices) {
      let name = meterName(sku: price.sku)
      found[name] = MeterDefinition(
        name: name, unit: .millionths, kind: .counter, title: "Cost of \(price.sku)",
        label: "price version")
    }
    return found.values.sorted { $0.name < $1.name }
  }
}
