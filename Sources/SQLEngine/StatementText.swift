// SPDX-License-Identifier: Apache-2.0

/// What can be told of a statement by its first word, past space and comments.
package enum StatementText {
  /// Upper-cased; empty if there is none.
  package static func firstWord(_ sql: ArraySlice<UInt8>) -> String {
    var at = sql.startIndex
    while at < sql.endIndex {
      let byte = sql[at]
      if byte == 0x20 || (0x09...0x0d).contains(byte) || byte == UInt8(ascii: ";") {
        at += 1
      } else if byte == UInt8(ascii: "-"), at + 1 < sql.endIndex, sql[at + 1] == byte {
        at = sql[at...].firstIndex(of: 0x0a) ?? sql.endIndex
      } else if byte == UInt8(ascii: "/"), at + 1 < sql.endIndex, sql[at + 1] == UInt8(ascii: "*") {
        at = endOfComment(sql, at + 2)
      } else {
        break
      }
    }
    let word = sql[at...].prefix {
      ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z")
    }
    return String(decoding: word, as: UTF8.self).uppercased()
  }

  private static func endOfComment(_ sql: ArraySlice<UInt8>, _ start: Int) -> Int {
    var at = start
    while at + 1 < sql.endIndex {
      if sql[at] == UInt8(ascii: "*"), sql[at + 1] == UInt8(ascii: "/") { return at + 2 }
      at += 1
    }
    return sql.endIndex
  }

  /// What SQLite itself may do while it runs the statement.
  static func kind(_ sql: ArraySlice<UInt8>, firstWord: String) -> StatementPolicy.Kind {
    switch firstWord {
    case "VACUUM": .vacuum
    case "ALTER" where !contains(sql, "printf"): .alter
    default: .ordinary
    }
  }

  /// Whether the text has these letters anywhere, whatever their case.
  private static func contains(_ sql: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard sql.count >= count else { return false }
    return (sql.startIndex...(sql.endIndex - count)).contains { start in
      (0..<count).allSatisfy { sql[start + $0] | 0x20 == word.utf8Start[$0] }
    }
  }

  /// How a statement is first tried.
  package enum Approach: Sendable, Equatable {
    /// On a connection that reads.
    case reading
    /// The same, but its answer lies in the schema, which the connection must have read lately.
    case describing
    /// On the writer: it cannot be one that only reads.
    case writing(isPlain: Bool)

    package var mayRead: Bool { self == .reading || self == .describing }
  }

  package static func approach(_ sql: String) -> Approach {
    // 64 bytes hold the first word unless a comment stands before it; then nothing is lost but speed.
    let prefix = Array(sql.utf8.prefix(64))
    switch firstWord(prefix[...]) {
    case "SELECT", "VALUES", "WITH": return .reading
    case "PRAGMA", "EXPLAIN": return .describing
    case "" where prefix.count == 64: return .describing
    case "": return .reading
    case let word: return .writing(isPlain: plainWrites.contains(word))
    }
  }

  /// First words of statements that may share one transaction with those of other requests, none noticing.
  static let plainWrites: Set<String> = ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"]
}
