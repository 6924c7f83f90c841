// SPDX-License-Identifier: Apache-2.0

/// Over which time a limit holds. All in UTC.
public enum LimitPeriod: String, Sendable, Hashable, CaseIterable, Codable {
  case hour, day, month

  public func start(of time: WallTime) -> WallTime {
    switch self {
    case .hour: time.floored(toSeconds: 3_600)
    case .day: time.floored(toSeconds: 86_400)
    case .month: Pricing.month(of: time)
    }
  }

  /// When the next one begins.
  public func end(of time: WallTime) -> WallTime {
    let start = start(of: time)
    return switch self {
    case .hour: WallTime(seconds: start.seconds + 3_600)
    case .day: WallTime(seconds: start.seconds + 86_400)
    case .month: start.date.nextMonth.start
    }
  }
}

/// What happens when a limit is reached.
public enum LimitAction: String, Sendable, Hashable, CaseIterable, Codable {
  /// An event, nothing else.
  case warn
  /// The app is slowed down: the host decides how (CPU share, `Retry-After`).
  case throttle
  /// The app is stopped, and its calls are refused until the period ends or the limit is raised.
  case stop
}

/// The most an app may use in a period, of a resource or of money.
public struct AppLimit: Sendable, Hashable, Codable {
  public var app: String
  /// `cpu`, `memory`, `storage`, `network.in`, `network.out`, `money.EUR`, or the name of a counter.
  public var subject: String
  public var period: LimitPeriod
  /// In the meters' unit; for money in millionths.
  public var amount: Int64
  public var action: LimitAction
  /// A warning is given at this share of the amount, 1 to 100.
  public var warnPercent: Int

  public init(
    app: String, subject: String, period: LimitPeriod, amount: Int64, action: LimitAction,
    warnPercent: Int = 80
  ) {
    self.app = app
    self.subject = subject
    self.period = period
    self.amount = amount
    self.action = action
    self.warnPercent = warnPercent
  }

  var key: LimitKey { LimitKey(app: app, subject: subject, period: period) }
}

/// What there is one limit for.
struct LimitKey: Sendable, Hashable {
  var app: String
  var subject: String
  var period: LimitPeriod
}

/// What a limit's subject counts.
struct LimitSubject: Sendable, Equatable {
  var ledger: UInt32
  var unit: MeterUnit
  /// Counted if a line's meter is one of these…
  var meters: Set<String>
  /// …or if it is a charge in this currency.
  var currency: String?

  func covers(_ line: MeterLine) -> Bool {
    if let currency {
      return Pricing.sku(ofMeter: line.meter) != nil
        && Pricing.citation(line.destination ?? "")?.currency == currency
    }
    return meters.contains(line.meter)
  }

  /// Meters without a ledger of their own (events) are limited in this one.
  static let otherLedger: UInt32 = 90

  /// - Throws: `unknownMeter`, or `invalid` with what to write instead.
  init(_ subject: String, definitions: [String: MeterDefinition]) throws(MeterError) {
    if subject.hasPrefix("money.") {
      let code = String(subject.dropFirst(6))
      guard let number = ISO4217.number(of: code) else {
        throw .invalid(what: subject, why: "\(code) is not a currency code of ISO 4217")
      }
      self.init(
        ledger: LedgerNumber.money(iso4217: number), unit: .millionths, meters: [], currency: code)
      return
    }
    let names: [String] =
      switch subject {
      case "cpu": [Meters.cpuUser, Meters.cpuSystem, Meters.cpuHost].map(\.name)
      case "memory": [Meters.memoryTime.name]
      case "storage": [Meters.storageTime.name]
      case "network.in":
        definitions.values.filter { $0.ledger == LedgerNumber.networkIn }.map(\.name)
      case "network.out":
        definitions.values.filter { $0.ledger == LedgerNumber.networkOut }.map(\.name)
      default: [subject]
      }
    guard let first = names.first.flatMap({ definitions[$0] }) else { throw .unknownMeter(subject) }
    guard first.kind == .counter, Pricing.sku(ofMeter: first.name) == nil else {
      throw .invalid(
        what: subject,
        why: "only what adds up can be limited per period; for held bytes use the app's storage "
          + "limit, for money money.EUR")
    }
    self.init(
      ledger: first.ledger ?? Self.otherLedger, unit: first.unit, meters: Set(names), currency: nil)
  }

  private init(ledger: UInt32, unit: MeterUnit, meters: Set<String>, currency: String?) {
    self.ledger = ledger
    self.unit = unit
    self.meters = meters
    self.currency = currency
  }
}
