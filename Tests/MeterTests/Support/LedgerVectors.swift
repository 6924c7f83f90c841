// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter

/// Answers recorded from a real TigerBeetle (Vectors/README.md).
struct LedgerVectors {
  enum Step {
    case accounts([LedgerAccount], statuses: [String])
    case transfers([LedgerTransfer], statuses: [String])
    case balances([LedgerAccount])
  }
  struct Unreadable: Error { var line: Int }

  static let seeds = [1, 2, 3, 4]
  let steps: [Step]

  init(seed: Int) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(
      contentsOf: folder.appending(path: "Vectors/seed-\(seed).jsonl"), encoding: .utf8)
    steps = try text.split(separator: "\n").enumerated().map { number, line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
      guard let entry = object as? [String: Any], let step = Self.step(entry) else {
        throw Unreadable(line: number + 1)
      }
      return step
    }
  }

  private static func step(_ entry: [String: Any]) -> Step? {
    let statuses = entry["statuses"] as? [String] ?? []
    if let accounts = entry["accounts"] as? [[String: Any]] {
      return .accounts(accounts.map(account), statuses: statuses)
    }
    if let transfers = entry["transfers"] as? [[String: Any]] {
      return .transfers(transfers.map(transfer), statuses: statuses)
    }
    return (entry["balances"] as? [[String: Any]]).map { .balances($0.map(account)) }
  }

  private static func account(_ fields: [String: Any]) -> LedgerAccount {
    var account = LedgerAccount(
      id: wide(fields["id"]), ledger: UInt32(small(fields["ledger"])),
      code: UInt16(small(fields["code"])), flags: .init(rawValue: UInt16(small(fields["flags"]))))
    account.debitsPending = Int64(wide(fields["debits_pending"]))
    account.debitsPosted = Int64(wide(fields["debits_posted"]))
    account.creditsPending = Int64(wide(fields["credits_pending"]))
    account.creditsPosted = Int64(wide(fields["credits_posted"]))
    return account
  }

  private static func transfer(_ fields: [String: Any]) -> LedgerTransfer {
    LedgerTransfer(
      id: wide(fields["id"]), debitAccountID: wide(fields["debit_account_id"]),
      creditAccountID: wide(fields["credit_account_id"]), amount: wide(fields["amount"]),
      ledger: UInt32(small(fields["ledger"])), code: UInt16(small(fields["code"])),
      flags: .init(rawValue: UInt16(small(fields["flags"]))), pendingID: wide(fields["pending_id"]),
      timeout: UInt32(small(fields["timeout"])), userData128: wide(fields["user_data_128"]),
      userData64: UInt64(small(fields["user_data_64"])),
      userData32: UInt32(small(fields["user_data_32"])))
  }

  private static func wide(_ value: Any?) -> UInt128 {
    (value as? String).flatMap { UInt128($0) } ?? 0
  }
  private static func small(_ value: Any?) -> Int { (value as? NSNumber)?.intValue ?? 0 }
}

/// Submits every recorded batch and collects where the answers differ.
func mismatches(of ledger: any Ledger, with vectors: LedgerVectors) throws -> [String] {
  var wrong: [String] = []
  func compare(_ step: Int, _ found: [String], _ wanted: [String]) {
    if found.count != wanted.count { wrong.append("step \(step): \(found.count) answers") }
    for (event, pair) in zip(found, wanted).enumerated() where pair.0 != pair.1 {
      wrong.append("step \(step) event \(event): \(pair.0), recorded \(pair.1)")
    }
  }
  for (number, step) in vectors.steps.enumerated() {
    switch step {
    case .accounts(let accounts, let statuses):
      compare(number, try ledger.create(accounts: accounts).map(\.rawValue), statuses)
    case .transfers(let transfers, let statuses):
      compare(number, try ledger.create(transfers: transfers).map(\.rawValue), statuses)
    case .balances(let recorded):
      let found = try ledger.lookup(accounts: recorded.map(\.id))
      let sums = { (account: LedgerAccount) in
        "\(account.id): \(account.debitsPending) \(account.debitsPosted) "
          + "\(account.creditsPending) \(account.creditsPosted)"
      }
      compare(number, found.map(sums), recorded.map(sums))
    }
  }
  return wrong
}
