// SPDX-License-Identifier: Apache-2.0
import SQLite

/// Why the meter refused or failed. Each case says what, why and what to do next in `description`.
public enum MeterError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A file written by a newer version of this program. It was not touched.
  case newerFile(file: String, version: Int64, supported: Int64)
  /// A file that is not ours: it carries another application's mark.
  case foreignFile(file: String)
  /// SQLite says the file's content is broken.
  case damagedFile(file: String, detail: String)
  /// No room on the disk. What was not written is kept in memory and tried again.
  case diskFull(file: String)
  case storage(file: String, detail: String)
  /// A meter registered twice with different meanings.
  case meterConflict(name: String, detail: String)
  case unknownMeter(String)
  /// More of something than a stated maximum.
  case tooMany(what: String, max: Int)
  case invalid(what: String, why: String)
  case ledger(LedgerError)
  /// Every problem of a price book.
  case prices(PriceProblems)

  public var description: String {
    switch self {
    case .newerFile(let file, let version, let supported):
      "\(file) has version \(version) and this program knows \(supported): "
        + "it was written by a newer version. Run that version, or restore an older copy."
    case .foreignFile(let file):
      "\(file) is a database of another program. Move it away and start again."
    case .damagedFile(let file, let detail):
      "\(file) is damaged (\(detail)). Restore it from a backup; it was not changed."
    case .diskFull(let file):
      "no room on the disk for \(file). Free space; measurements wait in memory meanwhile."
    case .storage(let file, let detail): "\(file) cannot be used: \(detail)."
    case .meterConflict(let name, let detail): "meter \(name) is registered already: \(detail)."
    case .unknownMeter(let name): "there is no meter \(name). See the list in docs/METER.md."
    case .tooMany(let what, let max): "more than \(max) \(what)."
    case .invalid(let what, let why): "\(what): \(why)."
    case .ledger(let error): error.description
    case .prices(let problems): problems.description
    }
  }

  /// Sorts SQLite's refusals by what an operator does about them.
  init(_ error: SQLiteError, file: String) {
    self =
      switch error.primaryCode {
      case 13: .diskFull(file: file)
      case 11, 26: .damagedFile(file: file, detail: error.message)
      default: .storage(file: file, detail: error.description)
      }
  }
}
