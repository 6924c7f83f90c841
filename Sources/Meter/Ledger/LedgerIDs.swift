// SPDX-License-Identifier: Apache-2.0

/// Names accounts and transfers by what they are, so that whatever is repeated after a crash carries
/// the same ids and happens once.
struct LedgerIDs: Sendable {
  let host: String
  /// SHA-256.
  let hash: @Sendable ([UInt8]) -> [UInt8]

  /// Account: the first 128 bits of the hash of what it is for.
  func account(ledger: UInt32, code: UInt16, owner: [String]) -> UInt128 {
    usable(UInt128(bigEndianBytes: digest(["account", "\(ledger)", "\(code)"] + owner)))
  }

  /// Transfer: milliseconds of the interval's start in the upper 48 bits, so that ids are ordered by
  /// time, and 80 bits of the hash of (host, what).
  func transfer(at start: WallTime, _ what: [String]) -> UInt128 {
    let milliseconds = UInt128(UInt64(max(0, start.microseconds / 1_000)) & 0xffff_ffff_ffff)
    let rest = UInt128(bigEndianBytes: digest([host] + what)) >> 48
    return usable(milliseconds << 80 | rest)
  }

  /// Each part is preceded by its length, so that no two lists of parts read the same.
  private func digest(_ parts: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
      bytes += withUnsafeBytes(of: UInt32(part.utf8.count).bigEndian) { Array($0) }
      bytes += Array(part.utf8)
    }
    return hash(bytes)
  }

  /// Zero and the highest number mean something else to a ledger.
  private func usable(_ id: UInt128) -> UInt128 { id == 0 || id == .max ? 1 : id }
}

/// Codes of accounts and transfers (engines.md §4).
enum LedgerCode {
  static let supply: UInt16 = 1
  static let quota: UInt16 = 2
  static let used: UInt16 = 3
  static let writtenOff: UInt16 = 4
  static let moneySupply: UInt16 = 100
  static let wallet: UInt16 = 101
  static let revenue: UInt16 = 104

  static let grant: UInt16 = 10
  static let reserve: UInt16 = 20
  static let drain: UInt16 = 21
  static let meter: UInt16 = 22
  static let release: UInt16 = 23
  static let usageCharge: UInt16 = 140
}
