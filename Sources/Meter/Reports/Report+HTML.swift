// SPDX-License-Identifier: Apache-2.0

extension Report {
  /// The report as one page that needs nothing else: no script, no request, dark and light, usable
  /// at 360 pixels, and printable.
  public func html(title: String = "Bulkhead") -> String {
    let name = kind == .usage ? "Usage" : "Cost"
    let charts = (kind == .usage ? usageCharts : costCharts).map { $0.html(heading: $0.title) }
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
      style-src 'unsafe-inline'">
      <title>\(HTMLText.escaped(title)): \(name.lowercased())</title>
      <style>
      \(HTMLText.style)
      </style></head><body><main>
      <h1>\(HTMLText.escaped(title)): \(name.lowercased())</h1>
      <p class="dim">\(since.rfc3339) to \(until.rfc3339) (UTC) · written \(generatedAt.rfc3339)</p>
      \(keyFigures)
      <h2>\(byWords)</h2>
      \(mainTable)
      \(heldTable)
      \(charts.joined())
      \(kind == .cost ? priceTable : "")
      <h2>About these figures</h2>
      <ul>\(footnotes.map { "<li>\(HTMLText.escaped($0))</li>" }.joined(separator: "\n"))</ul>
      </main></body></html>

      """
  }

  private var byWords: String {
    by.isEmpty ? "In all" : "By " + by.map(\.rawValue).joined(separator: " and ")
  }

  private var keyFigures: String {
    var figures: [(String, String)] = []
    for (currency, micros) in money.sorted(by: { $0.key < $1.key }) {
      figures.append(
        ("Cost", "\(Decimal6(millionths: micros).text(places: 2)) \(currency)"))
    }
    let apps = Set(rows.compactMap(\.app)).count
    if apps > 1 { figures.append(("Apps", "\(apps)")) }
    for family in ResourceFamily.allCases {
      let sum = rows.filter { $0.family == family }.reduce(0) { $0 + $1.quantity }
      if sum > 0 { figures.append((family.title, QuantityText.text(sum, family.unit))) }
    }
    let items = figures.map { "<div><dt>\($0.0)</dt><dd>\(HTMLText.escaped($0.1))</dd></div>" }
    return figures.isEmpty
      ? "<p>Nothing was used.</p>" : "<dl class=\"key\">\(items.joined(separator: "\n"))</dl>"
  }

  // MARK: - Tables

  private func name(_ key: Key) -> String {
    var parts: [String] = []
    let time = key.start.rfc3339
    if by.contains(.hour) { parts.append("\(time.prefix(10)) \(time.dropFirst(11).prefix(5))") }
    if by.contains(.day), !by.contains(.hour) { parts.append(String(time.prefix(10))) }
    if by.contains(.app) { parts.append(key.app ?? "") }
    if by.contains(.destination) { parts.append(key.label.map { $0.isEmpty ? "–" : $0 } ?? "–") }
    return parts.isEmpty ? "All" : parts.joined(separator: " · ")
  }

  private var mainTable: String {
    if rows.isEmpty { return "" }
    if kind == .cost { return costTable }
    if by.contains(.meter) { return meterTable }
    let lines = pivot()
    let families = ResourceFamily.allCases
    return HTMLText.table(
      caption: "Usage \(byWords.lowercased())",
      header: [by.map { $0.rawValue.capitalizedFirst }.joined(separator: " · ")]
        + families.map(\.title),
      rows: lines.map { line in
        [name(line.key)] + families.map { QuantityText.text(line.values[$0] ?? 0, $0.unit) }
      },
      footer: lines.count < 2
        ? nil
        : ["Sum"]
          + families.map { family in
            QuantityText.text(lines.reduce(0) { $0 + ($1.values[family] ?? 0) }, family.unit)
          })
  }

  private var heldTable: String {
    guard !held.isEmpty else { return "" }
    return "<h2>Held now</h2>\n"
      + HTMLText.table(
        caption: "Bytes on disk, as last read", header: ["App"] + heldKinds + ["All"],
        rows: heldByApp.map { app, bytes in
          [app] + (bytes + [bytes.reduce(0, +)]).map { QuantityText.text($0, .bytes) }
        })
  }

  private var meterTable: String {
    HTMLText.table(
      caption: "Usage by meter", header: ["Row", "Meter", "Quantity"],
      rows: rows.map { row in
        [
          name(Key(app: row.app, start: row.start, label: row.label)), row.item,
          QuantityText.text(row.quantity, row.unit),
        ]
      })
  }

  private var costTable: String {
    let skus = totals.map(\.item)
    let currencies = money.keys.sorted()
    var cells: [Key: [String: Int64]] = [:]
    var sums: [Key: [String: Int64]] = [:]
    for row in rows {
      let key = Key(app: row.app, start: row.start, label: row.label)
      cells[key, default: [:]][row.item, default: 0] += row.charge?.micros ?? 0
      sums[key, default: [:]][row.charge?.currency ?? "", default: 0] += row.charge?.micros ?? 0
    }
    let text = { (micros: Int64?) in Decimal6(millionths: micros ?? 0).text(places: 6) }
    return HTMLText.table(
      caption: "Cost \(byWords.lowercased())",
      header: [by.map { $0.rawValue.capitalizedFirst }.joined(separator: " · ")]
        + totals.map(\.title) + currencies,
      rows: cells.sorted { $0.key < $1.key }.map { key, values in
        [name(key)] + skus.map { text(values[$0]) } + currencies.map { text(sums[key]?[$0]) }
      },
      footer: ["Sum"]
        + skus.map { sku in
          text(rows.filter { $0.item == sku }.reduce(0) { $0 + ($1.charge?.micros ?? 0) })
        } + currencies.map { text(money[$0]) })
  }

  /// The prices that rows cite, tier by tier.
  private var priceTable: String {
    let cited = Set(rows.compactMap { $0.charge?.version }).sorted()
    let lines = cited.compactMap(prices.version(number:)).flatMap { version in
      version.prices.flatMap { price in
        price.tiers.map { tier in
          [
            "v\(version.number) · \(price.title)", version.from.date.text,
            QuantityText.decimal(tier.above, over: price.per, places: 6),
            "\(Decimal6(millionths: tier.micros).text(places: 2)) \(version.currency)",
            price.unit.rawValue,
          ]
        }
      }
    }
    return lines.isEmpty
      ? ""
      : "<h2>Prices</h2>\n"
        + HTMLText.table(
          caption: "Prices cited", header: ["Price", "From", "Above, a month", "Price", "Per"],
          rows: lines)
  }

  // MARK: - Charts

  /// By CPU, or by what was paid, so that an app has one colour on the whole page.
  private var colouredApps: [String] {
    let telling =
      kind == .usage
      ? timeline.values[.cpu] ?? timeline.values.first?.value : timeline.money.first?.value
    return StackedChart.coloured(telling ?? [:])
  }

  private var usageCharts: [StackedChart] {
    let apps = colouredApps
    return ResourceFamily.allCases.compactMap { family in
      StackedChart(
        title: family.title, unit: family.unit, starts: timeline.starts,
        bucketSeconds: timeline.bucketSeconds, values: timeline.values[family] ?? [:], apps: apps)
    }
  }

  private var costCharts: [StackedChart] {
    let apps = colouredApps
    return timeline.money.sorted { $0.key < $1.key }.compactMap { currency, values in
      StackedChart(
        title: "Cost in \(currency)", unit: .millionths, starts: timeline.starts,
        bucketSeconds: timeline.bucketSeconds, values: values, apps: apps)
    }
  }
}

extension StackedChart {
  fileprivate func html(heading: String) -> String {
    "<h2>\(HTMLText.escaped(heading))</h2>\n" + html()
  }
}

extension String {
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
