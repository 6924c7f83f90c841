// SPDX-License-Identifier: Apache-2.0

/// The columns of FOCUS 1.2 that a host can fill, in the specification's alphabetical order, and two
/// of our own (`x_`).
enum FOCUS {
  struct Line: Sendable {
    var row: Report.Row
    var price: Price?
    var site: Report.Site

    var app: String { row.app ?? "" }
    var cost: String { Decimal6(millionths: row.charge?.micros ?? 0).text() }
    var month: CalendarDate { CalendarDate(year: date.year, month: date.month, day: 1) }
    private var date: CalendarDate { row.start.date }
    /// Twelve places: a microsecond of a core-hour has nine zeros before it.
    var quantity: String { QuantityText.decimal(row.quantity, over: price?.per ?? 1, places: 12) }
    var unit: String { price?.unit.focusName ?? "" }

    /// The list price; where tiers give several, what a unit of this charge cost on average.
    var unitPrice: String {
      guard let price else { return "" }
      if price.tiers.count == 1 { return Decimal6(millionths: price.tiers[0].micros).text() }
      guard row.quantity > 0 else { return "0" }
      let micros = Int128(row.charge?.micros ?? 0) * Int128(price.per) / Int128(row.quantity)
      return Decimal6(millionths: Int64(clamping: micros)).text()
    }

    var service: (category: String, subcategory: String, name: String) {
      let meter = price?.meters.first.flatMap { name in Meters.all.first { $0.name == name } }
      return switch meter.flatMap(ResourceFamily.of) {
      case .cpu: ("Compute", "Serverless Compute", "CPU")
      case .memory: ("Compute", "Serverless Compute", "Memory")
      case .storage: ("Storage", "Other (Storage)", "Storage")
      case .networkIn, .networkOut: ("Networking", "Application Networking", "Network")
      case .requests: ("Web", "Application Platforms", "Requests")
      case nil: ("Other", "Other (Other)", "Other")
      }
    }
  }

  struct Column: Sendable {
    var name: String
    var value: @Sendable (Line) -> String
  }

  static let columns: [Column] = [
    .init(name: "BilledCost") { $0.cost },
    .init(name: "BillingAccountId") { $0.site.accountID },
    .init(name: "BillingAccountName") { $0.site.accountName },
    .init(name: "BillingCurrency") { $0.row.charge?.currency ?? "" },
    .init(name: "BillingPeriodEnd") { $0.month.nextMonth.start.rfc3339 },
    .init(name: "BillingPeriodStart") { $0.month.start.rfc3339 },
    .init(name: "ChargeCategory") { _ in "Usage" },
    .init(name: "ChargeClass") { _ in "" },
    .init(name: "ChargeDescription") { line in
      "\(line.price?.title ?? line.row.item) of \(line.app), prices v\(line.row.charge?.version ?? 0)"
    },
    .init(name: "ChargeFrequency") { _ in "Usage-Based" },
    .init(name: "ChargePeriodEnd") { $0.row.end.rfc3339 },
    .init(name: "ChargePeriodStart") { $0.row.start.rfc3339 },
    .init(name: "ConsumedQuantity") { $0.quantity },
    .init(name: "ConsumedUnit") { $0.unit },
    .init(name: "ContractedCost") { $0.cost },
    .init(name: "ContractedUnitPrice") { $0.unitPrice },
    .init(name: "EffectiveCost") { $0.cost },
    .init(name: "InvoiceIssuerName") { $0.site.organisation },
    .init(name: "ListCost") { $0.cost },
    .init(name: "ListUnitPrice") { $0.unitPrice },
    .init(name: "PricingCategory") { _ in "Standard" },
    .init(name: "PricingQuantity") { $0.quantity },
    .init(name: "PricingUnit") { $0.unit },
    .init(name: "ProviderName") { $0.site.organisation },
    .init(name: "PublisherName") { $0.site.organisation },
    .init(name: "ResourceId") { $0.app },
    .init(name: "ResourceName") { $0.site.appNames[$0.app] ?? $0.app },
    .init(name: "ResourceType") { _ in "App" },
    .init(name: "ServiceCategory") { $0.service.category },
    .init(name: "ServiceName") { $0.service.name },
    .init(name: "ServiceSubcategory") { $0.service.subcategory },
    .init(name: "SkuId") { $0.row.item },
    .init(name: "SkuMeter") { $0.price?.title ?? $0.row.item },
    .init(name: "SkuPriceId") { "\($0.row.item)/v\($0.row.charge?.version ?? 0)" },
    .init(name: "Tags") { line in
      line.row.label.map { "{\"label\":\(JSONText.quoted($0))}" } ?? "{}"
    },
    .init(name: "x_MeteredQuantity") { String($0.row.quantity) },
    .init(name: "x_MeteredUnit") { $0.row.unit.rawValue },
  ]
}
