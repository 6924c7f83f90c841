// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import GuestAPI

/// Prints an answer to a statement line by line. JSON and CSV leave as they come; a table is gathered.
struct SQLPrinter {
  enum Form { case table, json, csv }

  private let form: Form
  private var columns: [String] = []
  private var rows: [[JSONValue]] = []
  private var count = 0
  private var outcome: SQLOutcome?
  private var pending: [UInt8] = []

  /// Bytes gathered before they are written: rows are many and short.
  private static let gatherBytes = 1 << 16

  init(form: Form) { self.form = form }

  mutating func take(_ line: SQLLine) throws {
    switch line {
    case .columns(let names):
      columns = names
      if form == .json { pending += Array("[".utf8) }
      if form == .csv { pending += Array(SQLText.csv(columns: names).utf8) }
    case .row(let values):
      take(values)
      count += 1
    case .end(let outcome): self.outcome = outcome
    case .problem(let problem):
      flush()
      throw AdminClientError.problem(problem)
    }
    if pending.count >= Self.gatherBytes { flush() }
  }

  private mutating func take(_ values: [JSONValue]) {
    switch form {
    case .table: rows.append(values)
    case .csv: pending += Array(SQLText.csv(row: values).utf8)
    case .json:
      if count > 0 { pending.append(0x2c) }
      pending += SQLText.object(columns, values).encoded
    }
  }

  /// After the last line. Throws if the answer ended before its end.
  mutating func finish() throws {
    guard let outcome else {
      flush()
      throw CommandFailure(
        .retry, "the answer broke off", why: "the host stopped sending after \(count) rows")
    }
    if form == .json { pending += Array("]\n".utf8) }
    flush()
    if form == .table {
      if columns.isEmpty {
        Printer.text("\(outcome.changes) row\(outcome.changes == 1 ? "" : "s") changed")
      } else {
        Printer.table(SQLText.table(columns, rows))
      }
    }
    if outcome.truncated {
      Printer.note("there are more rows than the \(count) shown; use --csv, --json or LIMIT")
    }
  }

  private mutating func flush() {
    Terminal.standardOutput.write(pending)
    pending.removeAll(keepingCapacity: true)
  }
}
