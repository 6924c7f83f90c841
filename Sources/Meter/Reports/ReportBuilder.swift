// SPDX-License-Identifier: Apache-2.0

/// Groups sums of series into a report. Pure.
struct ReportBuilder {
  let query: ReportQuery
  let plan: QueryPlan
  let bucket: Bucket
  /// Before this, hours are kept as days only.
  let hoursFrom: WallTime
  let definitions: [String: MeterDefinition]
  let prices: PriceBook
  let now: WallTime

  private struct Group: Hashable {
    var app: String?
    var start: WallTime?
    var item: String
    var label: String?
    var currency: String?
    var version: UInt32 = 0
  }

  func build(
    _ totals: [SeriesTotal], measuredUntil: WallTime, held: [Report.Held], gaps: [MeterGap]
  ) -> Report {
    var notes = boundNotes
    let rows =
      query.kind == .usage ? usageRows(totals) : costRows(totals, notes: &notes)
    return Report(
      kind: query.kind, by: query.by, since: plan.since, until: plan.until, generatedAt: now,
      measuredUntil: measuredUntil, rows: rows, totals: sums(rows),
      money: rows.reduce(into: [:]) { sums, row in
        if let charge = row.charge { sums[charge.currency, default: 0] += charge.micros }
      }, timeline: timeline(totals), sources: sources(totals), held: held, gaps: gaps,
      notes: notes,
      prices: prices)
  }

  private var boundNotes: [String] {
    var notes: [String] = []
    if plan.since != query.since.floored(toSeconds: 60) {
      notes.append(
        "begins at \(plan.since.rfc3339), not \(query.since.rfc3339): "
          + "only whole buckets are kept for that time")
    }
    if plan.until != query.until.ceiled(toSeconds: 60) {
      notes.append(
        "ends at \(plan.until.rfc3339), not \(query.until.rfc3339): "
          + "only whole buckets are kept for that time")
    }
    if query.by.contains(.hour), plan.since < hoursFrom {
      notes.append("before \(hoursFrom.rfc3339) rows are days: hours are not kept that long")
    }
    return notes
  }

  // MARK: - Rows

  private func group(_ total: SeriesTotal, item: String, label: String) -> Group {
    var group = Group(item: item)
    if query.by.contains(.app) { group.app = total.key.app }
    if query.by.contains(.destination) { group.label = label }
    group.start = rowStart(total.bucket)
    return group
  }

  /// The start of the row a bucket falls into; nil where rows are not kept apart by time.
  private func rowStart(_ bucket: WallTime?) -> WallTime? {
    guard let bucket else { return nil }
    if query.by.contains(.hour) { return bucket }
    return query.by.contains(.day) ? bucket.floored(toSeconds: 86_400) : nil
  }

  /// What keeps rows apart besides their time.
  private struct Name: Hashable {
    var app: String?
    var item: String
    var label: String?
  }

  /// Sums of one series come together, so names are hashed once a series, not once a row: a year of a hundred apps by day
  /// has two hundred thousand rows and a few hundred names.
  private func usageRows(_ totals: [SeriesTotal]) -> [Report.Row] {
    var sums: [Name: [WallTime?: Int64]] = [:]
    var index = totals.startIndex
    while index < totals.endIndex {
      let key = totals[index].key
      let end = totals[index...].firstIndex { $0.key != key } ?? totals.endIndex
      defer { index = end }
      guard Pricing.sku(ofMeter: key.meter) == nil else { continue }
      let name = Name(
        app: query.by.contains(.app) ? key.app : nil, item: key.meter,
        label: query.by.contains(.destination) ? key.label : nil)
      let isPeak = definitions[key.meter]?.kind == .peak
      sums[name, default: [:]].merge(
        totals[index..<end].lazy.map { (self.rowStart($0.bucket), $0.quantity) }
      ) { isPeak ? max($0, $1) : Int64(clamping: Int128($0) + Int128($1)) }
    }
    return usageRows(sums)
  }

  /// By time, app, meter and label.
  private func usageRows(_ sums: [Name: [WallTime?: Int64]]) -> [Report.Row] {
    let names = sums.keys.sorted {
      ($0.app ?? "", $0.item, $0.label ?? "") < ($1.app ?? "", $1.item, $1.label ?? "")
    }
    var places: [(start: Int64, rank: Int, quantity: Int64)] = []
    places.reserveCapacity(sums.values.reduce(0) { $0 + $1.count })
    for (rank, name) in names.enumerated() {
      for (start, quantity) in sums[name] ?? [:] {
        places.append((start?.microseconds ?? .min, rank, quantity))
      }
    }
    places.sort { ($0.start, $0.rank) < ($1.start, $1.rank) }
    return places.map { start, rank, quantity in
      let name = names[rank]
      let group = Group(
        app: name.app, start: start == .min ? nil : WallTime(microseconds: start),
        item: name.item, label: name.label)
      return row(group, quantity, of: name.item, charge: nil)
    }
  }

  /// Charges with the quantities they are for. Quantities are matched to price versions by day:
  /// versions begin at midnight.
  private func costRows(_ totals: [SeriesTotal], notes: inout [String]) -> [Report.Row] {
    var charged: [Group: Int64] = [:]
    for total in totals {
      guard let sku = Pricing.sku(ofMeter: total.key.meter),
        let cited = Pricing.citation(total.key.label)
      else { continue }
      var group = exact(total, sku: sku)
      group.currency = cited.currency
      group.version = cited.version
      charged[group, default: 0] += total.quantity
    }
    var used: [Group: [String: Int64]] = [:]
    var unpriced: [String: Int64] = [:]
    for total in totals where Pricing.sku(ofMeter: total.key.meter) == nil {
      guard let start = total.bucket, let definition = definitions[total.key.meter],
        definition.kind == .counter
      else { continue }
      guard let version = prices.version(at: start), let price = version.price(of: definition.name)
      else {
        if definition.ledger != nil { unpriced[definition.name, default: 0] += total.quantity }
        continue
      }
      var group = exact(total, sku: price.sku)
      group.currency = version.currency
      group.version = version.number
      used[group, default: [:]][total.key.label, default: 0] += total.quantity
    }
    for (meter, quantity) in unpriced.sorted(by: { $0.key < $1.key }) where quantity > 0 {
      let text = QuantityText.text(quantity, definitions[meter]?.unit ?? .count)
      notes.append("\(text) of \(meter) had no price and costs nothing")
    }
    return merged(charged, used)
  }

  /// The finest group of a charge: app, bucket and sku.
  private func exact(_ total: SeriesTotal, sku: String) -> Group {
    Group(app: total.key.app, start: total.bucket, item: sku)
  }

  private func merged(
    _ charged: [Group: Int64], _ used: [Group: [String: Int64]]
  ) -> [Report.Row] {
    var sums: [Group: (quantity: Int64, micros: Int64)] = [:]
    for group in Set(charged.keys).union(used.keys) {
      let labels = (used[group] ?? ["": 0]).sorted { $0.key < $1.key }
      let parts = apportion(charged[group] ?? 0, by: labels.map(\.value))
      for (label, micros) in zip(labels, parts) {
        let total = SeriesTotal(
          key: SeriesKey(app: group.app ?? "", meter: group.item, source: .host),
          bucket: group.start, quantity: 0)
        var wide = self.group(total, item: group.item, label: label.key)
        wide.currency = group.currency
        wide.version = group.version
        let old = sums[wide] ?? (0, 0)
        sums[wide] = (old.quantity + label.value, old.micros + micros)
      }
    }
    return sorted(
      sums.map { group, sum in
        let meter = prices.version(number: group.version)?.prices
          .first { $0.sku == group.item }?.meters.first
        return row(
          group, sum.quantity, of: meter ?? "",
          charge: Report.Charge(
            micros: sum.micros, currency: group.currency ?? "", version: group.version))
      })
  }

  private func row(
    _ group: Group, _ quantity: Int64, of meter: String, charge: Report.Charge?
  ) -> Report.Row {
    var start = plan.since
    var end = plan.until
    if let bucketStart = group.start {
      let isHour = query.by.contains(.hour) && bucketStart >= hoursFrom
      start = max(bucketStart, plan.since)
      end = min(WallTime(seconds: bucketStart.seconds + (isHour ? 3_600 : 86_400)), plan.until)
    }
    return Report.Row(
      app: group.app, start: start, end: end, item: group.item, label: group.label,
      quantity: quantity, unit: definitions[meter]?.unit ?? .count,
      family: definitions[meter].flatMap(ResourceFamily.of), charge: charge)
  }

  /// By time, app, item, label and price version. Names are compared once each, as ranks.
  private func sorted(_ rows: [Report.Row]) -> [Report.Row] {
    func ranks(_ names: some Sequence<String>) -> [String: Int] {
      var found: [String: Int] = [:]
      for (rank, name) in Set(names).sorted().enumerated() { found[name] = rank }
      return found
    }
    let apps = ranks(rows.lazy.map { $0.app ?? "" })
    let items = ranks(rows.lazy.map(\.item))
    let labels = ranks(rows.lazy.map { $0.label ?? "" })
    let keyed = rows.enumerated().map { index, row in
      (
        key: (
          row.start.microseconds, apps[row.app ?? ""] ?? 0, items[row.item] ?? 0,
          labels[row.label ?? ""] ?? 0, row.charge?.version ?? 0
        ), index: index
      )
    }
    return keyed.sorted { $0.key < $1.key }.map { rows[$0.index] }
  }

  // MARK: - Beside the rows

  private func sums(_ rows: [Report.Row]) -> [Report.Total] {
    var sums: [String: Report.Total] = [:]
    for row in rows {
      let title =
        query.kind == .usage
        ? definitions[row.item]?.title ?? row.item
        : prices.version(number: row.charge?.version ?? 0)?.prices
          .first { $0.sku == row.item }?.title ?? row.item
      var total =
        sums[row.item] ?? Report.Total(item: row.item, title: title, unit: row.unit, quantity: 0)
      total.quantity =
        query.kind == .usage && definitions[row.item]?.kind == .peak
        ? max(total.quantity, row.quantity)
        : Int64(clamping: Int128(total.quantity) + Int128(row.quantity))
      sums[row.item] = total
    }
    return sums.values.sorted { $0.item < $1.item }
  }

  private func timeline(_ totals: [SeriesTotal]) -> Report.Timeline {
    var first: WallTime?
    var last = plan.since
    for total in totals {
      guard let start = total.bucket else { continue }
      first = min(first ?? start, start)
      last = max(last, start)
    }
    guard let first else {
      return Report.Timeline(starts: [], bucketSeconds: bucket.seconds, values: [:], money: [:])
    }
    let count = Int((last.seconds - first.seconds) / bucket.seconds) + 1
    var values: [ResourceFamily: [String: [Int64]]] = [:]
    var money: [String: [String: [Int64]]] = [:]
    var index = 0
    while index < totals.count {
      let key = totals[index].key
      var sums = [Int64](repeating: 0, count: count)
      while index < totals.count, totals[index].key == key {
        if let start = totals[index].bucket {
          sums[Int((start.seconds - first.seconds) / bucket.seconds)] += totals[index].quantity
        }
        index += 1
      }
      if Pricing.sku(ofMeter: key.meter) != nil {
        guard let cited = Pricing.citation(key.label) else { continue }
        add(sums, to: &money[cited.currency, default: [:]][key.app])
      } else if let family = definitions[key.meter].flatMap(ResourceFamily.of) {
        add(sums, to: &values[family, default: [:]][key.app])
      }
    }
    return Report.Timeline(
      starts: (0..<count).map { WallTime(seconds: first.seconds + Int64($0) * bucket.seconds) },
      bucketSeconds: bucket.seconds, values: values, money: money)
  }

  private func add(_ sums: [Int64], to line: inout [Int64]?) {
    guard let old = line else {
      line = sums
      return
    }
    line = zip(old, sums).map { $0 + $1 }
  }

  private func sources(_ totals: [SeriesTotal]) -> [String: [SampleSource]] {
    var found: [String: Set<SampleSource>] = [:]
    for total in totals where total.key.source != .host {
      found[total.key.app, default: []].insert(total.key.source)
    }
    return found.mapValues { sources in SampleSource.allCases.filter { sources.contains($0) } }
  }
}
