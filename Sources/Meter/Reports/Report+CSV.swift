// SPDX-License-Identifier: Apache-2.0

extension Report {
  /// Usage as CSV: one line a row; quantities are whole numbers of the unit beside them.
  public func usageCSV() -> String {
    CSVText.text(
      ["app", "start", "end", "meter", "label", "quantity", "unit"],
      rows.map { row in
        [
          row.app ?? "", row.start.rfc3339, row.end.rfc3339, row.item, row.label ?? "",
          String(row.quantity), row.unit.rawValue,
        ]
      })
  }

  /// Who bills whom, for the columns of a FOCUS file.
  public struct Site: Sendable, Equatable {
    /// BillingAccountId and -Name: the site.
    public var accountID: String
    public var accountName: String
    /// ProviderName, PublisherName and InvoiceIssuerName: the organisation that runs the host.
    public var organisation: String
    /// Names of apps for people, by app id.
    public var appNames: [String: String]

    public init(
      accountID: String, accountName: String, organisation: String,
      appNames: [String: String] = [:]
    ) {
      self.accountID = accountID
      self.accountName = accountName
      self.organisation = organisation
      self.appNames = appNames
    }
  }

  /// Charges as CSV in the columns of FOCUS 1.2
  /// (https://focus.finops.org/focus-specification/v1-2/): one line a charge.
  ///
  /// - Throws: `invalid` unless this is a cost report by app and by day or hour: a charge belongs to
  ///   one app and one billing period.
  public func focusCSV(_ site: Site) throws(MeterError) -> String {
    guard kind == .cost, by.contains(.app), by.contains(.day) || by.contains(.hour) else {
      throw .invalid(what: "a FOCUS file", why: "it needs a cost report by app and day (or hour)")
    }
    return CSVText.text(
      FOCUS.columns.map(\.name),
      rows.map { row in
        let line = FOCUS.Line(row: row, price: price(of: row), site: site)
        return FOCUS.columns.map { $0.value(line) }
      })
  }

  func price(of row: Row) -> Price? {
    prices.version(number: row.charge?.version ?? 0)?.prices.first { $0.sku == row.item }
  }
}
