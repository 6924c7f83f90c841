// SPDX-License-Identifier: Apache-2.0

/// Quantities for people: three or four digits and a unit. Machine formats write whole numbers.
enum QuantityText {
  static func text(_ quantity: Int64, _ unit: MeterUnit) -> String {
    switch unit {
    case .microseconds: time(quantity)
    case .bytes: scaled(Double(quantity), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
    case .kibibyteSeconds: overTime(Double(quantity) * 1_024)
    case .mebibyteSeconds: overTime(Double(quantity) * 1_048_576)
    case .count: grouped(quantity)
    case .millionths: Decimal6(millionths: quantity).text(places: 2)
    }
  }

  /// CPU time: `850 ms`, `12.3 s`, `23,070 s`, `41.5 h`. Hours are core-hours.
  static func time(_ microseconds: Int64) -> String {
    let seconds = Double(microseconds) / 1_000_000
    if microseconds == 0 { return "0 s" }
    if seconds < 0.001 { return "\(microseconds) µs" }
    if seconds < 1 { return digits(seconds * 1_000) + " ms" }
    if seconds < 100_000 { return digits(seconds) + " s" }
    return digits(seconds / 3_600) + " h"
  }

  /// Bytes held over time, in byte-hours of a fitting size.
  private static func overTime(_ byteSeconds: Double) -> String {
    scaled(byteSeconds / 3_600, ["B·h", "KiB·h", "MiB·h", "GiB·h", "TiB·h", "PiB·h"])
  }

  private static func scaled(_ value: Double, _ units: [String]) -> String {
    var value = value
    var index = 0
    while value >= 1_000, index < units.count - 1 {
      value /= 1_024
      index += 1
    }
    return "\(digits(value)) \(units[index])"
  }

  /// About three significant digits, without an exponent.
  static func digits(_ value: Double) -> String {
    let places = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value == value.rounded() ? 0 : 2
    let scale: Int64 = places == 0 ? 1 : places == 1 ? 10 : 100
    let whole = Int64((value * Double(scale)).rounded())
    guard places > 0 else { return grouped(whole) }
    return "\(grouped(whole / scale)).\(padded(Int(whole % scale), places))"
  }

  /// Thousands apart by a comma.
  static func grouped(_ value: Int64) -> String {
    var text = String(value.magnitude)
    var groups: [Substring] = []
    while text.count > 3 {
      groups.insert(Substring(text.suffix(3)), at: 0)
      text.removeLast(3)
    }
    return (value < 0 ? "-" : "") + ([Substring(text)] + groups).joined(separator: ",")
  }

  /// `numerator / denominator` with at most `places` decimals, cut off; exact integer arithmetic.
  static func decimal(_ numerator: Int64, over denominator: Int64, places: Int) -> String {
    var scale: Int128 = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = Int128(numerator) * scale / Int128(denominator)
    var fraction = String(scaled % scale)
    fraction = String(repeating: "0", count: places - fraction.count) + fraction
    while fraction.hasSuffix("0") { fraction.removeLast() }
    return fraction.isEmpty ? "\(scaled / scale)" : "\(scaled / scale).\(fraction)"
  }
}
