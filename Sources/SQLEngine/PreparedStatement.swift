// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI

/// One compiled statement of a guest, with what its compilation told. Belongs to its connection's thread.
package final class PreparedStatement {
  package let handle: OpaquePointer
  /// SQLite says that it writes nothing (`sqlite3_stmt_readonly`).
  package let isReadOnly: Bool
  /// SAVEPOINT, RELEASE or ROLLBACK TO: only inside an interactive transaction.
  package let isTransactional: Bool
  package let kind: StatementPolicy.Kind
  package var isVacuum: Bool { kind == .vacuum }
  /// INSERT, UPDATE, DELETE or REPLACE: may share a transaction with others.
  package let isPlainWrite: Bool
  package let parameterCount: Int
  /// `"columns":[…]`, written once and again only when SQLite has compiled the statement anew.
  private var columnsJSON: [UInt8] = []
  private var compilations: Int32 = -1

  init(
    handle: OpaquePointer, isTransactional: Bool, kind: StatementPolicy.Kind, firstWord: String
  ) {
    self.handle = handle
    self.isTransactional = isTransactional
    self.kind = kind
    isReadOnly = sqlite3_stmt_readonly(handle) != 0
    isPlainWrite = !isReadOnly && StatementText.plainWrites.contains(firstWord)
    parameterCount = Int(sqlite3_bind_parameter_count(handle))
  }

  deinit { sqlite3_finalize(handle) }

  /// Right after the first step only: a change of the schema shows no earlier.
  package var columnCount: Int { Int(sqlite3_column_count(handle)) }

  package func columnName(_ index: Int) -> String {
    sqlite3_column_name(handle, Int32(index)).map { String(cString: $0) } ?? ""
  }

  /// The names of the result's columns as a JSON array.
  package func columns() -> [UInt8] {
    let now = sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_REPREPARE, 0)
    if now == compilations { return columnsJSON }
    var writer = JSONWriter()
    writer.raw("[")
    for index in 0..<columnCount {
      if index > 0 { writer.raw(",") }
      writer.string(columnName(index))
    }
    writer.raw("]")
    columnsJSON = writer.bytes
    compilations = now
    return columnsJSON
  }

  /// Names without prefix, null where a parameter has none.
  package var parameterNames: [JSONValue] {
    (0..<parameterCount).map { index in
      sqlite3_bind_parameter_name(handle, Int32(index + 1))
        .map { .string(String(String(cString: $0).dropFirst())) } ?? .null
    }
  }

  /// Ready for the next run, holding no value and no lock.
  package func reset() {
    sqlite3_reset(handle)
    if parameterCount > 0 { sqlite3_clear_bindings(handle) }
  }
}

/// Keeps the statements used lately, in two generations: a full young one becomes the old one, and what is still used
/// moves back. Bounded like an LRU list, at the cost of a dictionary look-up.
struct StatementCache {
  private var young: [String: PreparedStatement] = [:]
  private var old: [String: PreparedStatement] = [:]
  private let generationMax: Int

  init(statementsMax: Int) { generationMax = max(1, statementsMax / 2) }

  mutating func find(_ sql: String) -> PreparedStatement? {
    if let statement = young[sql] { return statement }
    guard let statement = old.removeValue(forKey: sql) else { return nil }
    keep(statement, sql)
    return statement
  }

  mutating func keep(_ statement: PreparedStatement, _ sql: String) {
    if young.count >= generationMax {
      old = young
      young = [:]
    }
    young[sql] = statement
  }

  mutating func removeAll() {
    young = [:]
    old = [:]
  }

  var count: Int { young.count + old.count }
}
