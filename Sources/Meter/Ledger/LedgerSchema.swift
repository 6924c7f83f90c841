// SPDX-License-Identifier: Apache-2.0

/// The tables of `ledger.sqlite`. Ids are 16 bytes, most significant first; a timestamp is
/// nanoseconds since 1970, unique over accounts and transfers, and the row's key, so that newer rows
/// go to the end of the file.
enum LedgerSchema {
  /// "BkLg".
  static let applicationID: Int64 = 0x426B_4C67
  static let version: Int64 = 1
  static let fileName = "ledger.sqlite"

  static let script = """
    CREATE TABLE account (
      timestamp INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
      debits_pending INTEGER NOT NULL, debits_posted INTEGER NOT NULL,
      credits_pending INTEGER NOT NULL, credits_posted INTEGER NOT NULL,
      user_data_128 BLOB NOT NULL, user_data_64 INTEGER NOT NULL, user_data_32 INTEGER NOT NULL,
      ledger INTEGER NOT NULL, code INTEGER NOT NULL, flags INTEGER NOT NULL) STRICT;

    -- debit and credit are the accounts' timestamps.
    CREATE TABLE transfer (
      timestamp INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
      debit INTEGER NOT NULL, credit INTEGER NOT NULL, amount INTEGER NOT NULL,
      pending_id BLOB, user_data_128 BLOB, user_data_64 INTEGER NOT NULL,
      user_data_32 INTEGER NOT NULL, timeout INTEGER NOT NULL, ledger INTEGER NOT NULL,
      code INTEGER NOT NULL, flags INTEGER NOT NULL, state INTEGER NOT NULL) STRICT;
    CREATE INDEX transfer_debit ON transfer (debit, timestamp);
    CREATE INDEX transfer_credit ON transfer (credit, timestamp);
    CREATE INDEX transfer_expiry ON transfer (timestamp + timeout * 1000000000)
      WHERE state = 1 AND timeout > 0;

    -- Ids that were refused for the state of the ledger and can never be used again.
    CREATE TABLE failed (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

    CREATE TABLE balance (
      account INTEGER NOT NULL, timestamp INTEGER NOT NULL,
      debits_pending INTEGER NOT NULL, debits_posted INTEGER NOT NULL,
      credits_pending INTEGER NOT NULL, credits_posted INTEGER NOT NULL,
      PRIMARY KEY (account, timestamp)) STRICT, WITHOUT ROWID;
    """
}
