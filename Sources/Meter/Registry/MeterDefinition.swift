// SPDX-License-Identifier: Apache-2.0

/// The unit a meter counts in. Always whole numbers of it.
public enum MeterUnit: String, Sendable, Hashable, CaseIterable {
  case microseconds = "us"
  case bytes = "B"
  /// Memory over time: one KiB held for one second.
  case kibibyteSeconds = "KiB.s"
  /// Storage over time: one MiB held for one second.
  case mebibyteSeconds = "MiB.s"
  case count = "1"
  /// Money: millionths of a currency.
  case millionths = "1e-6"
}

/// How quantities of a meter combine.
public enum MeterKind: String, Sendable, Hashable {
  /// Adds up. What is stored is the amount of each interval.
  case counter
  /// A value that holds until it is set again. What is stored is the value over time, under the
  /// meter `integral` names, and the latest value.
  case level
  /// The highest value seen. Combines by maximum, never by sum.
  case peak
}

/// One thing that is measured. Brokers define theirs and register them once; nothing else in the
/// meter, its reports or its metrics is written by hand for it.
public struct MeterDefinition: Sendable, Hashable {
  /// Dotted, lower case: `egress.sent`. At most 64 characters.
  public var name: String
  public var unit: MeterUnit
  public var kind: MeterKind
  /// For people: "sent to other hosts".
  public var title: String
  /// What the label of a line of this meter means (`destination`, `kind`, `outcome`), or nil if its
  /// lines have none.
  public var label: String?
  /// The ledger (engines.md §4) this meter's quantities are posted to; nil for events, which are
  /// shown but not charged.
  public var ledger: UInt32?
  /// For levels: the counter that holds the level over time, in MiB·s.
  public var integral: String?

  public init(
    name: String, unit: MeterUnit, kind: MeterKind, title: String, label: String? = nil,
    ledger: UInt32? = nil, integral: String? = nil
  ) {
    self.name = name
    self.unit = unit
    self.kind = kind
    self.title = title
    self.label = label
    self.ledger = ledger
    self.integral = integral
  }

  /// The name follows the rule and the kind has what it needs.
  func check() throws(MeterError) {
    let letters = name.utf8.allSatisfy {
      ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 46 || $0 == 95
    }
    guard !name.isEmpty, name.utf8.count <= 64, letters else {
      throw .invalid(
        what: "meter name \(name.debugDescription)",
        why: "only a-z, 0-9, dot and underscore, at most 64 characters")
    }
    if kind == .level && (integral == nil || unit != .bytes) {
      throw .invalid(what: "meter \(name)", why: "a level is in bytes and names its integral")
    }
  }
}

/// The numbers of the ledgers, one per unit of account (engines.md §4). Money ledgers are 1000 + the
/// ISO 4217 number of the currency.
public enum LedgerNumber {
  public static let cpu: UInt32 = 10
  public static let memory: UInt32 = 20
  public static let storageOverTime: UInt32 = 31
  public static let networkOut: UInt32 = 40
  public static let networkIn: UInt32 = 41
  public static let requests: UInt32 = 50
  public static func money(iso4217 number: UInt32) -> UInt32 { 1_000 + number }
}
