// SPDX-License-Identifier: Apache-2.0
import GuestAPI

/// The files of one database, looked at before SQLite opens them: what is there must be what this worker leaves behind.
///
/// SQLite trusts what lies beside a database. A rollback journal that somebody put there is played back into it, and
/// a write-ahead log that does not fit is ignored, its commits with it. Databases here are always in WAL mode, so a
/// journal is never ours, and a log that does not fit is a loss to be told. Only to be called while this process has
/// the database not open: closing a file drops the locks SQLite holds on it (https://sqlite.org/howtocorrupt.html §2.2).
package struct DatabaseFile: Sendable {
  package let path: String

  package init(directory: String, name: String) { path = "\(directory)/\(name).sqlite" }

  package var walPath: String { path + "-wal" }
  package var shmPath: String { path + "-shm" }
  package var journalPath: String { path + "-journal" }

  package enum State: Equatable, Sendable {
    case absent
    case empty
    case database(pageSize: Int)
  }

  /// Throws `sql.corrupt` with words that name the fault.
  package func inspect() throws(HostError) -> State {
    let state = try inspectDatabase()
    try requirePlain(walPath, "write-ahead log")
    try requirePlain(shmPath, "shared-memory file")
    if let journal = FileSystem.status(journalPath), !journal.isRegular || journal.size > 0 {
      throw Self.corrupt(
        "a rollback journal lies beside it, which this host never leaves; it was not played back. "
          + "Whoever put it there must take it away")
    }
    try inspectLog(state)
    return state
  }

  private func inspectDatabase() throws(HostError) -> State {
    guard let status = FileSystem.status(path) else { return .absent }
    guard status.isRegular, status.links == 1 else {
      throw Self.corrupt("its file is a link or not a plain file")
    }
    guard status.size > 0 else { return .empty }
    guard let header = FileSystem.read(path, prefix: 100), header.count == 100,
      header.starts(with: "SQLite format 3\0".utf8)
    else { throw Self.corrupt("its file does not begin as a SQLite database does") }
    let stored = Int(header[16]) << 8 | Int(header[17])
    let pageSize = stored == 1 ? 65_536 : stored
    guard pageSize >= 512, pageSize.nonzeroBitCount == 1 else {
      throw Self.corrupt("its header says pages of \(pageSize) bytes")
    }
    guard status.size % Int64(pageSize) == 0 else {
      throw Self.corrupt("its file ends in the middle of a page")
    }
    return .database(pageSize: pageSize)
  }

  private func requirePlain(_ path: String, _ what: String) throws(HostError) {
    if let status = FileSystem.status(path), !status.isRegular || status.links != 1 {
      throw Self.corrupt("its \(what) is a link or not a plain file")
    }
  }

  private func inspectLog(_ state: State) throws(HostError) {
    guard let status = FileSystem.status(walPath), status.size > 0,
      let header = FileSystem.read(walPath, prefix: 32), header.contains(where: { $0 != 0 })
    else { return }
    guard case .database(let pageSize) = state else {
      throw Self.corrupt("a write-ahead log lies where there is no database")
    }
    guard let log = WriteAheadLogHeader(header), log.pageSize == pageSize else {
      throw Self.corrupt("its write-ahead log is damaged or belongs to another database")
    }
  }

  static func corrupt(_ why: String) -> HostError {
    HostError(.sql, "corrupt", "the database is not used: \(why)")
  }
}

/// The first 32 bytes of a write-ahead log (https://sqlite.org/fileformat2.html#walformat).
struct WriteAheadLogHeader {
  let pageSize: Int

  /// Nil unless magic, version and checksum are right.
  init?(_ bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    func big(_ word: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[word * 4 + $1]) }
    }
    let magic = big(0)
    guard magic & ~1 == 0x377f_0682, big(1) == 3_007_000 else { return nil }
    var first: UInt32 = 0
    var second: UInt32 = 0
    for word in stride(from: 0, to: 6, by: 2) {
      // The checksum reads words in the byte order the magic's last bit names: set is big-endian.
      let order: (UInt32) -> UInt32 = magic & 1 == 1 ? { $0 } : { $0.byteSwapped }
      first = first &+ order(big(word)) &+ second
      second = second &+ order(big(word + 1)) &+ first
    }
    guard first == big(6), second == big(7) else { return nil }
    pageSize = Int(big(2))
  }
}
