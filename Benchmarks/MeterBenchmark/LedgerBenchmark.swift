// SPDX-License-Identifier: Apache-2.0
import Meter

/// Transfers a second and the time of one durable transfer, beside the plain program. Rounds are
/// interleaved and medians compared, so that a busy machine slows both.
struct LedgerBenchmark {
  let accounts = 1_000
  let rounds = 7

  private func movements(_ count: Int, _ round: Int, _ random: inout some RandomNumberGenerator)
    -> [Movement]
  {
    (0..<count).map { index in
      let debit = UInt128.random(in: 1...UInt128(accounts), using: &random)
      let credit = debit % UInt128(accounts) + 1
      let time = UInt128(round) << 100 | UInt128(index) << 80
      return Movement(
        id: time | UInt128.random(in: 1...(1 << 79), using: &random), debit: debit, credit: credit,
        amount: Int64.random(in: 1...1_000, using: &random))
    }
  }

  func run() throws {
    try withDirectory { directory in
      var random = SystemRandomNumberGenerator()
      let ours = try SQLiteLedger(directory: directory)
      let plain = try PlainLedger(directory: directory)
      let ids = (1...accounts).map { UInt128($0) }
      _ = try ours.create(accounts: ids.map { LedgerAccount(id: $0, ledger: 10, code: 1) })
      try plain.createAccounts(ids)
      row("ledger", "ours", "plain SQLite", "ratio (target)")
      for (size, count) in [(1, 300), (100, 40), (500, 20), (8_000, 2)] {
        try compare(ours, plain, size: size, count: count, &random)
      }
    }
  }

  private func compare(
    _ ours: SQLiteLedger, _ plain: PlainLedger, size: Int, count: Int,
    _ random: inout some RandomNumberGenerator
  ) throws {
    var mine: [Double] = []
    var other: [Double] = []
    var used = (mine: 0.0, other: 0.0)
    for round in 1...rounds {
      let batches = (0..<count).map { movements(size, round * 1_000 + size + $0, &random) }
      let events = batches.map { batch in
        batch.map {
          LedgerTransfer(
            id: $0.id, debitAccountID: $0.debit, creditAccountID: $0.credit,
            amount: UInt128($0.amount), ledger: 10, code: 22)
        }
      }
      // One batch each in turn: whatever else the machine does, it does to both.
      var first = 0.0
      var second = 0.0
      for (batch, movements) in zip(events, batches) {
        first += try seconds {
          used.mine += try cpuSeconds {
            let statuses = try ours.create(transfers: batch)
            precondition(statuses.allSatisfy { $0 == .created })
          }
        }
        second += try seconds { used.other += try cpuSeconds { try plain.move(movements) } }
      }
      mine.append(first)
      other.append(second)
    }
    let work = Double(size * count)
    let ratio = median(other) / median(mine)
    // On a machine that has other work the processor's time is the steadier of the two.
    let note = "\(fixed(ratio, 2))x (>= 0.9x), of CPU \(fixed(used.other / used.mine, 2))x"
    if size == 1 {
      row(
        "one durable transfer, ms", fixed(median(mine) / work * 1_000, 3),
        fixed(median(other) / work * 1_000, 3), note)
    } else {
      row(
        "transfers/s, batches of \(size)", fixed(work / median(mine), 0),
        fixed(work / median(other), 0), note)
    }
  }
}
