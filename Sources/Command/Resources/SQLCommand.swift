// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import GuestAPI

struct SQLCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sql", abstract: "Run a statement on an app's database, or back it up.",
    discussion: """
      Read-only unless --write. Without SQL the statement is read from standard input; without DB the app's \
      databases are listed. Rows are printed as they come; a table holds 100,000 of them.
      """)

  @Argument(help: ArgumentHelp("Id or origin name.", valueName: "app"))
  var app: String
  @Argument(help: ArgumentHelp("The database's name.", valueName: "db"))
  var database: String?
  @Argument(help: ArgumentHelp("One statement.", valueName: "sql"))
  var statement: String?
  @Flag(name: .long, help: "Let the statement change data.")
  var write = false
  @Flag(name: .long, help: "Print CSV (RFC 4180).")
  var csv = false
  @Option(
    name: .long,
    help: ArgumentHelp("Write a consistent copy of the database here.", valueName: "file"))
  var backup: String?
  @OptionGroup var host: HostOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if csv, output.json { throw ValidationError("--csv and --json exclude each other") }
    if backup != nil, statement != nil || write || database == nil {
      throw ValidationError("--backup takes an app, a database and a file, nothing else")
    }
  }

  func run() throws {
    let client = host.client
    guard let database else { return try listDatabases(client) }
    if let backup { return try backUp(client, database, to: FilePath.absolute(backup)) }
    let request = SQLRequest(
      sql: try statement ?? Self.readStatement(), write: write,
      rowsMax: csv || output.json ? nil : Self.tableRowsMax)
    var printer = SQLPrinter(form: csv ? .csv : output.json ? .json : .table)
    var failure: (any Error)?
    try client.lines(
      AdminPath.app(app, "sql", database), method: "POST", body: try AdminCoding.encode(request),
      follow: false, lineBytesMax: SQLLine.bytesMax
    ) { line in
      do {
        try printer.take(try SQLLine(line: line))
        return true
      } catch {
        failure = error
        return false
      }
    }
    if let failure { throw failure }
    try printer.finish()
  }

  /// LIMIT: rows of a table, whose widths are known only when all are there. `--json` and `--csv` have no bound.
  private static let tableRowsMax = 100_000

  private func listDatabases(_ client: AdminClient) throws {
    let databases = try client.json([DatabaseInfo].self, "GET", AdminPath.app(app, "sql"))
    if output.json { return try Printer.json(databases) }
    var table = Table([("DATABASE", .left), ("SIZE", .right)])
    for database in databases {
      table.add([.init(database.name), .init(Quantity.bytes(database.bytes))])
    }
    Printer.table(table)
  }

  private func backUp(_ client: AdminClient, _ database: String, to file: String) throws {
    let report = try client.json(
      SQLBackupReport.self, "POST", AdminPath.app(app, "sql", database, "backup"),
      body: SQLBackupRequest(file: file))
    if output.json { return try Printer.json(report) }
    Printer.text("wrote \(Quantity.bytes(report.bytes)) to \(report.file)")
  }

  private static func readStatement() throws -> String {
    if Terminal.standardInput.isTerminal { Printer.note("statement, then Ctrl-D:") }
    let bytes = try StandardInput.read(bytesMax: 256 * 1024)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandFailure(.data, "the statement is refused", why: "it is not UTF-8")
    }
    return text
  }
}
