// SPDX-License-Identifier: Apache-2.0

/// A decimal number with at most six places, as whole millionths. Money never passes through a
/// floating-point number.
public struct Decimal6: Sendable, Hashable, Comparable {
  public var millionths: Int64

  public init(millionths: Int64) { self.millionths = millionths }

  /// Reads `12`, `0.015`, `1_000.5`. Nil for signs, exponents, more than six places, or 2^63
  /// millionths and more.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let whole = parts[0].filter { $0 != "_" }
    let fraction = parts.count > 1 ? parts[1] : ""
    guard !whole.isEmpty, parts.count == 1 || !fraction.isEmpty, fraction.utf8.count <= 6,
      whole.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
      fraction.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
      let units = Int64(whole),
      let places = Int64(fraction + String(repeating: "0", count: 6 - fraction.utf8.count))
    else { return nil }
    let (scaled, tooLarge) = units.multipliedReportingOverflow(by: 1_000_000)
    let (sum, overflow) = scaled.addingReportingOverflow(places)
    guard !tooLarge, !overflow else { return nil }
    millionths = sum
  }

  public static func < (left: Decimal6, right: Decimal6) -> Bool {
    left.millionths < right.millionths
  }

  /// All places that are not zero: `0.015`; at least `places` of them.
  public func text(places: Int = 0) -> String {
    let sign = millionths < 0 ? "-" : ""
    let size = millionths.magnitude
    var fraction = padded(Int(size % 1_000_000), 6)
    while fraction.utf8.count > places, fraction.hasSuffix("0") { fraction.removeLast() }
    let whole = size / 1_000_000
    return fraction.isEmpty ? "\(sign)\(whole)" : "\(sign)\(whole).\(fraction)"
  }
}
