// SPDX-License-Identifier: Apache-2.0

/// The resources a report has a column for: each sums meters of one unit.
public enum ResourceFamily: String, Sendable, CaseIterable {
  case cpu, memory, storage, networkIn = "network.in", networkOut = "network.out", requests

  public var title: String {
    switch self {
    case .cpu: "CPU"
    case .memory: "Memory"
    case .storage: "Storage"
    case .networkIn: "Network in"
    case .networkOut: "Network out"
    case .requests: "Requests"
    }
  }

  public var unit: MeterUnit {
    switch self {
    case .cpu: .microseconds
    case .memory: .kibibyteSeconds
    case .storage: .mebibyteSeconds
    case .networkIn, .networkOut: .bytes
    case .requests: .count
    }
  }

  /// Which family a meter belongs to; by its ledger, so that meters of later brokers are included.
  static func of(_ meter: MeterDefinition) -> ResourceFamily? {
    switch meter.ledger {
    case LedgerNumber.cpu: .cpu
    case LedgerNumber.memory: .memory
    case LedgerNumber.storageOverTime: .storage
    case LedgerNumber.networkIn: .networkIn
    case LedgerNumber.networkOut: .networkOut
    default: meter.name == Meters.requests.name ? .requests : nil
    }
  }
}
