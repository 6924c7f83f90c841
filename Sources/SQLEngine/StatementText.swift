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

  /// First words of statements that may share one transaction with those of other requests, none noticing.
  static let plainWrites: Set<String> = ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"]

  package static func isPlainWrite(_ sql: String) -> Bool {
    // 64 bytes hold the first word unless a comment stands before it, and then nothing is lost but speed.
    plainWrites.contains(firstWord(Array(sql.utf8.prefix(64))[...]))
  }
}
