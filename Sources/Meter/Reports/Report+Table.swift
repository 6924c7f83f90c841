// SPDX-License-Identifier: Apache-2.0

extension Report {
  /// The report for a terminal. No colour: nothing here depends on one.
  /// - Parameter width: columns of the terminal; charts are left out where they do not fit.
  public func table(width: Int = 100) -> String {
    var text = heading + "\n\n"
    if rows.isEmpty {
      text += "Nothing was used.\n"
    } else if kind == .cost {
      text += by.contains(.meter) ? costList() : costPivot(width)
    } else {
      text +=
        by.contains(.meter) || by.contains(.destination) ? usageList(width) : usagePivot(width)
    }
    text += heldTable
    let below = footnotes
    return below.isEmpty ? text : text + "\n" + below.joined(separator: "\n") + "\n"
  }

  var heading: String {
    let keys = by.isEmpty ? "" : ", by " + by.map(\.rawValue).joined(separator: " and ")
    return "\(kind == .usage ? "Usage" : "Cost") from \(since.rfc3339) to \(until.rfc3339)\(keys)"
  }

  /// What makes the figures trustworthy: how far they go, where they were read, what is missing.
  var footnotes: [String] {
    var lines = ["Measured until \(measuredUntil.rfc3339)."]
    let all = Set(sources.values.flatMap { $0 })
    if all.count == 1, let source = all.first {
      lines[0] += " CPU and memory read from \(source.words)."
    }
    if all.count > 1 {
      for source in SampleSource.allCases where all.contains(source) {
        let apps = sources.filter { $0.value.contains(source) }.keys.sorted()
        lines.append("CPU and memory of \(apps.joined(separator: ", ")): \(source.words).")
      }
    }
    lines += gaps.map { gap in
      let why = gap.reason == .crash ? "the host ended without closing its book" : "stopped"
      return "Gap: nothing was measured from \(gap.start.rfc3339) to \(gap.end.rfc3339) (\(why))."
    }
    return lines + notes.map { "Note: \($0)." }
  }

  /// Kinds of storage that anybody holds, in the order of their names.
  var heldKinds: [String] { Set(held.map(\.label)).sorted() }

  /// Per app the bytes of each of `heldKinds`.
  var heldByApp: [(app: String, bytes: [Int64])] {
    let kinds = heldKinds
    return Set(held.map(\.app)).sorted().map { app in
      let mine = held.filter { $0.app == app }
      return (
        app, kinds.map { kind in mine.reduce(0) { $0 + ($1.label == kind ? $1.bytes : 0) } }
      )
    }
  }

  private var heldTable: String {
    guard !held.isEmpty else { return "" }
    var table = TextTable(
      columns: [.init(title: "HELD NOW")]
        + heldKinds.map { .init(title: TextTable.safe($0).uppercased(), isNumber: true) }
        + [.init(title: "ALL", isNumber: true)])
    for (app, bytes) in heldByApp {
      table.rows.append(
        [TextTable.safe(app)] + (bytes + [bytes.reduce(0, +)]).map { QuantityText.text($0, .bytes) }
      )
    }
    return "\n" + table.text()
  }

  // MARK: - Usage

  struct Key: Hashable, Comparable {
    var app: String?
    var start: WallTime
    var label: String?

    static func < (left: Key, right: Key) -> Bool {
      (left.start, left.app ?? "", left.label ?? "")
        < (right.start, right.app ?? "", right.label ?? "")
    }
  }

  private func keyColumns() -> [TextTable.Column] {
    var columns: [TextTable.Column] = []
    if by.contains(.hour) { columns.append(.init(title: "HOUR")) }
    if by.contains(.day), !by.contains(.hour) { columns.append(.init(title: "DAY")) }
    if by.contains(.app) { columns.append(.init(title: "APP")) }
    if by.contains(.destination) { columns.append(.init(title: "LABEL")) }
    return columns
  }

  private func keyCells(_ key: Key) -> [String] {
    var cells: [String] = []
    let time = key.start.rfc3339
    if by.contains(.hour) { cells.append(String(time.prefix(13)) + "h") }
    if by.contains(.day), !by.contains(.hour) { cells.append(String(time.prefix(10))) }
    if by.contains(.app) { cells.append(TextTable.safe(key.app ?? "")) }
    if by.contains(.destination) { cells.append(TextTable.safe(key.label ?? "")) }
    return cells
  }

  /// Sums by key and family.
  func pivot() -> [(key: Key, values: [ResourceFamily: Int64])] {
    var sums: [Key: [ResourceFamily: Int64]] = [:]
    for row in rows {
      guard let family = row.family else { continue }
      let key = Key(app: row.app, start: row.start, label: row.label)
      sums[key, default: [:]][family, default: 0] += row.quantity
    }
    return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private func usagePivot(_ width: Int) -> String {
    let lines = pivot()
    let charted = by == [.app]
    var table = TextTable(
      columns: keyColumns()
        + ResourceFamily.allCases.map { .init(title: $0.title.uppercased(), isNumber: true) })
    let most = lines.map { $0.values[.cpu] ?? 0 }.max() ?? 0
    var chart: [String] = []
    for (key, values) in lines {
      table.rows.append(
        keyCells(key)
          + ResourceFamily.allCases.map { QuantityText.text(values[$0] ?? 0, $0.unit) })
      let history = timeline.values[.cpu]?[key.app ?? ""] ?? []
      chart.append(
        charted
          ? TextTable.sparkline(history, width: 16)
          : TextTable.bar(values[.cpu] ?? 0, of: most, width: 16))
    }
    if lines.count > 1, !keyColumns().isEmpty {
      let sums = ResourceFamily.allCases.map { family in
        QuantityText.text(lines.reduce(0) { $0 + ($1.values[family] ?? 0) }, family.unit)
      }
      let blanks = Array(repeating: "", count: keyColumns().count - 1)
      table.footer = ["TOTAL"] + blanks + sums
    }
    return withChart(table, charted ? "CPU OVER TIME" : "CPU", chart, width)
  }

  /// Adds a chart column where the terminal is wide enough for it.
  private func withChart(
    _ table: TextTable, _ title: String, _ chart: [String], _ width: Int
  ) -> String {
    let plain = table.text()
    let used = plain.split(separator: "\n").map(\.count).max() ?? 0
    guard used + 18 <= width else { return plain }
    var wide = table
    wide.columns.append(.init(title: title))
    for index in wide.rows.indices { wide.rows[index].append(chart[index]) }
    wide.footer?.append("")
    return wide.text()
  }

  private func usageList(_ width: Int) -> String {
    var table = TextTable(
      columns: keyColumns() + [.init(title: "METER"), .init(title: "QUANTITY", isNumber: true)])
    var most: [String: Int64] = [:]
    for row in rows { most[row.item] = max(most[row.item] ?? 0, row.quantity) }
    var chart: [String] = []
    for row in rows {
      let key = Key(app: row.app, start: row.start, label: row.label)
      table.rows.append(
        keyCells(key) + [TextTable.safe(row.item), QuantityText.text(row.quantity, row.unit)])
      chart.append(TextTable.bar(row.quantity, of: most[row.item] ?? 0, width: 16))
    }
    return withChart(table, "", chart, width)
  }

  // MARK: - Cost

  /// All six places, so that a column lines up and visibly adds up.
  private func moneyText(_ micros: Int64) -> String { Decimal6(millionths: micros).text(places: 6) }

  private func costPivot(_ width: Int) -> String {
    let skus = totals.map(\.item)
    let currencies = money.keys.sorted()
    var table = TextTable(
      columns: keyColumns() + skus.map { .init(title: $0.uppercased(), isNumber: true) }
        + currencies.map { .init(title: $0, isNumber: true) })
    var cells: [Key: [String: Int64]] = [:]
    for row in rows {
      let key = Key(app: row.app, start: row.start, label: row.label)
      cells[key, default: [:]][row.item, default: 0] += row.charge?.micros ?? 0
      cells[key, default: [:]]["\n" + (row.charge?.currency ?? ""), default: 0] +=
        row.charge?.micros ?? 0
    }
    let most =
      cells.values.map { $0.filter { $0.key.hasPrefix("\n") }.values.max() ?? 0 }.max() ?? 0
    var chart: [String] = []
    for (key, values) in cells.sorted(by: { $0.key < $1.key }) {
      table.rows.append(
        keyCells(key) + skus.map { moneyText(values[$0] ?? 0) }
          + currencies.map { moneyText(values["\n" + $0] ?? 0) })
      let total = values.filter { $0.key.hasPrefix("\n") }.values.max() ?? 0
      chart.append(TextTable.bar(total, of: most, width: 16))
    }
    if !keyColumns().isEmpty {
      let sums = skus.map { sku in
        moneyText(rows.filter { $0.item == sku }.reduce(0) { $0 + ($1.charge?.micros ?? 0) })
      }
      table.footer =
        ["TOTAL"] + Array(repeating: "", count: keyColumns().count - 1) + sums
        + currencies.map { moneyText(money[$0] ?? 0) }
    }
    return withChart(table, "", chart, width) + priceLines
  }

  private func costList() -> String {
    var table = TextTable(
      columns: keyColumns() + [
        .init(title: "ITEM"), .init(title: "QUANTITY", isNumber: true), .init(title: "PRICES"),
        .init(title: "COST", isNumber: true),
      ])
    for row in rows {
      let key = Key(app: row.app, start: row.start, label: row.label)
      table.rows.append(
        keyCells(key) + [
          row.item, QuantityText.text(row.quantity, row.unit), "v\(row.charge?.version ?? 0)",
          "\(moneyText(row.charge?.micros ?? 0)) \(row.charge?.currency ?? "")",
        ])
    }
    for (currency, micros) in money.sorted(by: { $0.key < $1.key }) {
      table.footer =
        ["TOTAL"] + Array(repeating: "", count: table.columns.count - 2)
        + ["\(moneyText(micros)) \(currency)"]
    }
    return table.text() + priceLines
  }

  /// The price versions the figures cite.
  private var priceLines: String {
    let cited = Set(rows.compactMap { $0.charge?.version }).sorted()
    let names = cited.compactMap { number in
      prices.version(number: number).map { "v\(number) from \($0.from.date.text)" }
    }
    return names.isEmpty ? "" : "\nPrices: \(names.joined(separator: ", ")).\n"
  }
}

extension SampleSource {
  /// For people.
  var words: String {
    switch self {
    case .cgroup2: "the kernel's cgroup counters (v2)"
    case .cgroup1: "the kernel's cgroup counters (v1)"
    case .processTree: "/proc of the process tree (clock ticks; no cgroup is delegated)"
    case .wait4: "wait4 of the ended process"
    case .host: "the host's own counters"
    }
  }
}
