// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc
import GuestAPI
import SQLEngine
import SQLite

/// A copy of a database in the making, under a name that no database can have.
struct BackupFile {
  private let path: String
  private let directory: String

  init(directory: String) {
    self.directory = directory
    // Two backups at a time differ by the clock; a rest of a killed worker is written over.
    path = "\(directory)/.backup-\(Monotonic.now)"
  }

  /// Pages copied between two looks at the clock: 1 MiB.
  private static let pagesPerStep: Int32 = 256

  /// Copies what `source` sees now; gives the size in bytes.
  func write(
    from source: GuardedConnection, atMost room: Int64?, _ mayContinue: () -> Bool
  ) throws(HostError) -> Int64 {
    try source.own("BEGIN")
    defer { _ = try? source.own("ROLLBACK") }
    // With the snapshot taken, writers beside it do not make the copy start anew.
    let pages = try source.own("PRAGMA page_count").first?[0].int ?? 0
    let pageSize = try source.own("PRAGMA page_size").first?[0].int ?? 4_096
    _ = try source.own("SELECT 1 FROM sqlite_schema LIMIT 1")
    if let room, pages * pageSize > room {
      throw HostError(
        .quota, "storage", "the copy needs \(pages * pageSize) bytes and \(room) are left")
    }
    do {
      let target = try SQLiteConnection(path: path)
      defer { target.close() }
      try copy(source.handle, target.handle, mayContinue)
    } catch let error as HostError {
      throw error
    } catch let error as SQLiteError {
      throw SQLFailure.error(error)
    } catch {
      throw HostError(.internal, "sql_io", "the backup could not be written", log: "\(error)")
    }
    return FileSystem.status(path)?.size ?? 0
  }

  private func copy(
    _ source: OpaquePointer, _ target: OpaquePointer, _ mayContinue: () -> Bool
  ) throws {
    guard let backup = sqlite3_backup_init(target, "main", source, "main") else {
      throw SQLiteError(
        code: sqlite3_extended_errcode(target), message: String(cString: sqlite3_errmsg(target)))
    }
    var code = SQLITE_OK
    while code == SQLITE_OK {
      guard mayContinue() else {
        sqlite3_backup_finish(backup)
        throw SQLFailure.deadline
      }
      code = sqlite3_backup_step(backup, Self.pagesPerStep)
    }
    code = sqlite3_backup_finish(backup)
    guard code == SQLITE_OK else {
      throw SQLiteError(code: code, message: String(cString: sqlite3_errmsg(target)))
    }
  }

  /// Gives the copy its name.
  func keep(as file: DatabaseFile) throws(HostError) {
    guard rename(path, file.path) == 0 else {
      throw HostError(
        .internal, "sql_io", "the backup could not be named", log: "rename: errno \(errno)")
    }
    FileSystem.sync(directory: directory)
  }

  func remove() {
    for suffix in ["", "-journal", "-wal", "-shm"] { FileSystem.remove(path + suffix) }
  }

  func reader() throws(OutgoingStream.Failure) -> Reader {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .stopped }
    return Reader(descriptor: descriptor)
  }

  /// The copy's bytes, piece by piece.
  struct Reader: ~Copyable {
    private let descriptor: Int32
    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    /// Nil at the end.
    mutating func next(_ count: Int) -> [UInt8]? {
      var piece = [UInt8](repeating: 0, count: count)
      let got = piece.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, count) }
      guard got > 0 else { return nil }
      piece.removeLast(count - got)
      return piece
    }
  }
}
