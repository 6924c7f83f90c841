// SPDX-License-Identifier: Apache-2.0

/// What a price is per. The names are those of the FOCUS report (ecosystem.md §4).
public enum PricingUnit: String, Sendable, CaseIterable, Codable {
  case coreHour = "core-hour"
  case gibibyteHour = "gib-hour"
  case gibibyteMonth = "gib-month"
  case gibibyte = "gib"
  case each = "each"
  case thousand = "thousand"
  case million = "million"

  /// How many of a meter's units make one, or nil where the meter does not measure that.
  ///
  /// A month is 730 hours here, so that its price does not depend on its length.
  public func per(_ unit: MeterUnit) -> Int64? {
    switch (self, unit) {
    case (.coreHour, .microseconds): 3_600_000_000
    case (.gibibyteHour, .kibibyteSeconds): 1_048_576 * 3_600
    case (.gibibyteHour, .mebibyteSeconds): 1_024 * 3_600
    case (.gibibyteMonth, .kibibyteSeconds): 1_048_576 * 3_600 * 730
    case (.gibibyteMonth, .mebibyteSeconds): 1_024 * 3_600 * 730
    case (.gibibyte, .bytes): 1_073_741_824
    case (.each, .count): 1
    case (.thousand, .count): 1_000
    case (.million, .count): 1_000_000
    default: nil
    }
  }

  /// In a FOCUS file: `Core-Hours`, `GiB-Hours`, …
  public var focusName: String {
    switch self {
    case .coreHour: "Core-Hours"
    case .gibibyteHour: "GiB-Hours"
    case .gibibyteMonth: "GiB-Months"
    case .gibibyte: "GiB"
    case .each: "Requests"
    case .thousand: "1000 Requests"
    case .million: "1000000 Requests"
    }
  }
}
