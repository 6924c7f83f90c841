// SPDX-License-Identifier: Apache-2.0

import Manifest

/// Quantities for people. Programs use `--json`, which has bytes and seconds.
package enum Quantity {
  /// Three digits and a binary unit: `1.50 GiB`.
  package static func bytes(_ count: some BinaryInteger) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(threeDigits(value)) \(units[unit])"
  }

  /// The two largest units: `3d 4h`, `5m 6s`, `7.25s`.
  package static func seconds(_ count: Double) -> String {
    guard count.isFinite, count >= 0 else { return "-" }
    if count < 60 { return "\(fixed(count, count < 10 ? 2 : 1))s" }
    let whole = Int(count)
    let parts = [
      (whole / 86_400, "d"), (whole / 3_600 % 24, "h"), (whole / 60 % 60, "m"), (whole % 60, "s"),
    ]
    let shown = parts.drop { $0.0 == 0 }.prefix(2)
    return shown.map { "\($0.0)\($0.1)" }.joined(separator: " ")
  }

  package static func percent(_ fraction: Double) -> String { "\(fixed(fraction * 100, 1))%" }

  package static func cores(_ count: Double) -> String {
    count == count.rounded() ? "\(Int(count))" : fixed(count, 3).trimmingZeros
  }

  /// So many digits after the point, rounded half away from zero.
  package static func fixed(_ value: Double, _ digits: Int) -> String {
    let scale = (0..<digits).reduce(1.0) { product, _ in product * 10 }
    let scaled = (value.magnitude * scale).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let whole = Int(scaled)
    let unit = Int(scale)
    let sign = value < 0 && whole > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(whole % unit)
    return "\(sign)\(whole / unit)." + String(repeating: "0", count: digits - fraction.count)
      + fraction
  }

  private static func threeDigits(_ value: Double) -> String {
    fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)
  }
}

extension String {
  fileprivate var trimmingZeros: String {
    var text = self
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
