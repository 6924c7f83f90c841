// SPDX-License-Identifier: Apache-2.0

extension Report {
  /// The report as one JSON object. Quantities are whole numbers of the unit named beside them, money
  /// is decimal text; times are RFC 3339 in UTC. Keys never change.
  public func json() -> String { jsonValue.text() }

  package var jsonValue: JSONText {
    var fields: [(String, JSONText)] = [
      ("kind", .string(kind.rawValue)),
      ("by", .array(by.map { .string($0.rawValue) })),
      ("since", .string(since.rfc3339)), ("until", .string(until.rfc3339)),
      ("generatedAt", .string(generatedAt.rfc3339)),
      ("measuredUntil", .string(measuredUntil.rfc3339)),
      ("rows", rows.isEmpty ? .array([]) : .written(rowsText)),
      (
        "totals",
        .array(
          totals.map { total in
            .object([
              (kind == .usage ? "meter" : "sku", .string(total.item)),
              ("title", .string(total.title)), ("quantity", .integer(total.quantity)),
              ("unit", .string(total.unit.rawValue)),
            ])
          })
      ),
    ]
    if kind == .cost {
      fields.append(
        (
          "money",
          .array(
            money.sorted { $0.key < $1.key }.map {
              .object([
                ("currency", .string($0.key)),
                ("cost", .string(Decimal6(millionths: $0.value).text())),
              ])
            })
        ))
    }
    if kind == .usage {
      fields.append(
        (
          "held",
          .array(
            held.map {
              .object([
                ("app", .string($0.app)), ("meter", .string($0.meter)), ("kind", .string($0.label)),
                ("bytes", .integer($0.bytes)),
              ])
            })
        ))
    }
    fields += [
      (
        "sources",
        .array(
          sources.sorted { $0.key < $1.key }.map { app, found in
            .object([
              ("app", .string(app)),
              ("source", .string(found.map(\.rawValue).joined(separator: "+"))),
            ])
          })
      ),
      (
        "gaps",
        .array(
          gaps.map { gap in
            .object([
              ("start", .string(gap.start.rfc3339)), ("end", .string(gap.end.rfc3339)),
              ("reason", .string(gap.reason.rawValue)),
            ])
          })
      ), ("notes", .array(notes.map(JSONText.string))),
    ]
    return .object(fields)
  }

  /// The rows, one a line. Written straight: there can be hundreds of thousands, and few different times.
  private var rowsText: String {
    var out = "[\n"
    out.reserveCapacity(rows.count * 160)
    var times: [WallTime: String] = [:]
    func text(_ time: WallTime) -> String {
      if let known = times[time] { return known }
      let made = time.rfc3339
      times[time] = made
      return made
    }
    for (index, row) in rows.enumerated() {
      out += "    {"
      if let app = row.app {
        out += "\"app\": "
        JSONText.quote(app, into: &out)
        out += ", "
      }
      out += "\"start\": \"\(text(row.start))\", \"end\": \"\(text(row.end))\", "
      out += kind == .usage ? "\"meter\": " : "\"sku\": "
      JSONText.quote(row.item, into: &out)
      if let label = row.label {
        out += ", \"label\": "
        JSONText.quote(label, into: &out)
      }
      out += ", \"quantity\": \(row.quantity), \"unit\": \"\(row.unit.rawValue)\""
      if let charge = row.charge {
        out += ", \"cost\": \"\(Decimal6(millionths: charge.micros).text())\", \"currency\": "
        JSONText.quote(charge.currency, into: &out)
        out += ", \"priceVersion\": \(charge.version)"
      }
      out += index + 1 < rows.count ? "},\n" : "}\n"
    }
    return out + "  ]"
  }
}

extension AppUsage {
  /// What an app used, as JSON for the admin API and for a guest.
  package var jsonValue: JSONText {
    .object([
      ("app", .string(app)), ("since", .string(since.rfc3339)), ("until", .string(until.rfc3339)),
      (
        "quantities",
        .array(
          quantities.map { quantity in
            .object([
              ("meter", .string(quantity.meter)), ("label", .string(quantity.label)),
              ("source", .string(quantity.source.rawValue)),
              ("quantity", .integer(quantity.quantity)), ("unit", .string(quantity.unit.rawValue)),
            ])
          })
      ),
      (
        "held",
        .array(
          held.map { held in
            .object([
              ("meter", .string(held.meter)), ("label", .string(held.label)),
              ("bytes", .integer(held.bytes)),
            ])
          })
      ),
    ])
  }

  public func json() -> String { jsonValue.text() }
}
