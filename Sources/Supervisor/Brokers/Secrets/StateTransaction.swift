// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLite

/// Transactions on an app's `state.sqlite`, with errors a guest may be told.
enum StateTransaction {
  static func run<Result>(
    on connection: SQLiteConnection, _ body: () throws(HostError) -> Result
  ) throws(HostError) -> Result {
    do throws(SQLiteError) { try connection.run("BEGIN IMMEDIATE") } catch { throw failure(error) }
    do throws(HostError) {
      let result = try body()
      do throws(SQLiteError) { try connection.run("COMMIT") } catch { throw failure(error) }
      return result
    } catch {
      // A commit that failed may have left the transaction open, or SQLite may have ended it.
      _ = try? connection.run("ROLLBACK")
      throw error
    }
  }

  /// The detail is for the host's log: the statement is the host's own.
  static func failure(_ error: SQLiteError) -> HostError {
    HostError(
      .internal, "state", "the host could not keep or find the app's state", log: "\(error)")
  }
}
