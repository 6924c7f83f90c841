// SPDX-License-Identifier: Apache-2.0

/// A number of bytes, written `256MiB`, `1GiB`, `500kB` or `4096B`.
///
/// Units with an `i` are powers of 1024 (IEC 80000-13), those without are powers of 1000.
public struct ByteSize: Sendable, Equatable, Hashable, Comparable {
  public var bytes: Int64

  public init(bytes: Int64) { self.bytes = bytes }

  public static func kibibytes(_ count: Int64) -> ByteSize { ByteSize(bytes: count << 10) }
  public static func mebibytes(_ count: Int64) -> ByteSize { ByteSize(bytes: count << 20) }
  public static func gibibytes(_ count: Int64) -> ByteSize { ByteSize(bytes: count << 30) }

  public static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }

  private static let units: [(name: String, bytes: Int64)] = [
    ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("B", 1),
  ]

  /// Reads a whole number and a unit; nil if the text is anything else or overflows int64.
  public init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let name = String(text.dropFirst(digits.count))
    guard let count = Int64(digits), let unit = Self.units.first(where: { $0.name == name }) else {
      return nil
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
    guard !overflow else { return nil }
    self.bytes = bytes
  }
}

extension ByteSize: CustomStringConvertible {
  /// The size in the largest binary unit that keeps it whole, such as `1536MiB`.
  public var description: String {
    for unit in Self.units.prefix(4) where bytes != 0 && bytes.isMultiple(of: unit.bytes) {
      return "\(bytes / unit.bytes)\(unit.name)"
    }
    return "\(bytes)B"
  }
}
