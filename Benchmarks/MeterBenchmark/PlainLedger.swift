// SPDX-License-Identifier: Apache-2.0
import SQLite

/// The other side of the comparison: what a Swift program would write that moves amounts between
/// accounts in SQLite and checks nothing but the limit. For each transfer: is the id taken, read two
/// accounts, insert, update both. Same file settings, same indexes.
final class PlainLedger {
  private let connection: SQLiteConnection
  private var clock: Int64 = 1

  init(directory: String) throws {
    connection = try SQLiteConnection(path: directory + "/plain.sqlite")
    try connection.useWriteAheadLog()
    try connection.script(
      """
      CREATE TABLE account (id BLOB PRIMARY KEY, debits INTEGER, credits INTEGER, limited INTEGER)
        WITHOUT ROWID;
      CREATE TABLE transfer (timestamp INTEGER PRIMARY KEY, id BLOB UNIQUE, debit BLOB, credit BLOB,
        amount INTEGER, code INTEGER);
      CREATE INDEX transfer_debit ON transfer (debit, timestamp);
      CREATE INDEX transfer_credit ON transfer (credit, timestamp);
      """)
  }

  func createAccounts(_ ids: [UInt128]) throws {
    try connection.transaction { () throws(SQLiteError) in
      for id in ids {
        try connection.run("INSERT INTO account VALUES (?, 0, 0, 0)", .blob(bytes(id)))
      }
    }
  }

  func move(_ batch: [Movement]) throws {
    try connection.transaction { () throws(SQLiteError) in
      for movement in batch {
        let taken = try connection.run(
          "SELECT 1 FROM transfer WHERE id = ?", .blob(bytes(movement.id)))
        guard taken.isEmpty else { continue }
        let debit = try read(movement.debit)
        let credit = try read(movement.credit)
        guard let debit, let credit,
          !debit.limited || debit.debits + movement.amount <= debit.credits
        else { continue }
        try connection.run(
          "INSERT INTO transfer VALUES (?, ?, ?, ?, ?, ?)", .integer(clock),
          .blob(bytes(movement.id)), .blob(bytes(movement.debit)), .blob(bytes(movement.credit)),
          .integer(movement.amount), 22)
        clock += 1
        try connection.run(
          "UPDATE account SET debits = ? WHERE id = ?", .integer(debit.debits + movement.amount),
          .blob(bytes(movement.debit)))
        try connection.run(
          "UPDATE account SET credits = ? WHERE id = ?", .integer(credit.credits + movement.amount),
          .blob(bytes(movement.credit)))
      }
    }
  }

  private struct Row {
    var debits: Int64
    var credits: Int64
    var limited: Bool
  }

  private func read(_ id: UInt128) throws(SQLiteError) -> Row? {
    let rows = try connection.run(
      "SELECT debits, credits, limited FROM account WHERE id = ?", .blob(bytes(id)))
    return rows.first.map {
      Row(debits: $0[0].int ?? 0, credits: $0[1].int ?? 0, limited: $0[2].int == 1)
    }
  }

  private func bytes(_ id: UInt128) -> [UInt8] { withUnsafeBytes(of: id.bigEndian) { Array($0) } }
}

struct Movement {
  var id: UInt128
  var debit: UInt128
  var credit: UInt128
  var amount: Int64
}
