// SPDX-License-Identifier: Apache-2.0

/// What becomes of an app whose data directory fills up, decided from what was counted in it. Pure.
///
/// No kernel interface bounds a directory on every file system, so the host counts: often enough that the limit is
/// passed by at most what a fast disk takes in a tenth of a second, and no more than a twentieth of the time unless counting
/// takes over half a second.
package struct DataQuota: Sendable, Equatable {
  package enum Action: Sendable, Equatable {
    case none
    /// No file takes another byte; reads and deletes go on.
    case refuse
    /// Still full: see to it that nobody let itself write again.
    case hold
    /// There is room again.
    case allow
    /// It grew although writes are refused (through a mapping of a file with holes): the guest is ended.
    case end
  }

  /// Bytes the directory may take: what of the app's storage its other stores leave.
  package private(set) var bytesMax: Int64
  /// What was there when writes began to be refused; nil while they are not.
  package private(set) var refusedAt: (bytes: Int64, entries: Int)?

  /// LIMIT: files, directories and links together.
  package static let entriesMax = 100_000
  /// What may still reach the disk after the refusal: data that was written before it.
  package static let settlingBytes: Int64 = 64 << 20
  package static let settlingEntries = 10_000
  /// Bytes a second that a fast disk takes.
  package static let fastest: Int64 = 1 << 30

  /// - Parameter refusedAt: what was there when an earlier guest of the app was refused, which this one inherits.
  package init(bytesMax: Int64, refusedAt: (bytes: Int64, entries: Int)? = nil) {
    self.bytesMax = max(0, bytesMax)
    self.refusedAt = refusedAt
  }

  /// It grew although writes are refused.
  package func isOverrun(bytes: Int64, entries: Int) -> Bool {
    guard let refused = refusedAt else { return false }
    return bytes > refused.bytes + Self.settlingBytes
      || entries > refused.entries + Self.settlingEntries
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.bytesMax == b.bytesMax && a.refusedAt?.bytes == b.refusedAt?.bytes
      && a.refusedAt?.entries == b.refusedAt?.entries
  }

  /// Takes what was counted just now, and how much is left to the directory by now.
  package mutating func take(bytes: Int64, entries: Int, bytesMax: Int64) -> Action {
    self.bytesMax = max(0, bytesMax)
    guard refusedAt != nil else {
      guard bytes >= self.bytesMax || entries >= Self.entriesMax else { return .none }
      refusedAt = (bytes, entries)
      return .refuse
    }
    if isOverrun(bytes: bytes, entries: entries) { return .end }
    // A twentieth below, so that an app at its limit is not let through and refused by turns.
    guard bytes < self.bytesMax - self.bytesMax / 20, entries < Self.entriesMax * 19 / 20 else {
      return .hold
    }
    refusedAt = nil
    return .allow
  }

  /// How long until the next count, after one that took `counting`.
  package func pause(bytes: Int64, counting: Duration) -> Duration {
    let left = refusedAt == nil ? max(0, bytesMax - bytes) : Self.fastest / 2
    let reachable = Duration.seconds(Double(left) / Double(Self.fastest))
    // Capped last: how long counting takes is the guest's doing.
    return min(max(reachable, .milliseconds(100), counting * 20), .seconds(10))
  }
}
