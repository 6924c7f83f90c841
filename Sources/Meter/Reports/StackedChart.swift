// SPDX-License-Identifier: Apache-2.0

/// Bars over time, stacked by app: SVG for the shapes, HTML for the words, so that words keep their
/// size on a narrow screen. No script; each bar has its figure as a title, and the same data follows
/// as a table.
struct StackedChart {
  /// LIMIT: apps with a colour of their own; the rest are one.
  static let colours = 6
  /// The apps that get a colour: those with the largest sums of the most telling values.
  static func coloured(_ values: [String: [Int64]]) -> [String] {
    let sums = values.mapValues { $0.reduce(0, +) }
    let ranked = sums.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
    return ranked.prefix(colours).map(\.key)
  }

  /// LIMIT: bars; longer times are drawn with neighbouring buckets added up.
  static let barsMax = 92
  static let others = "all others"

  let title: String
  let unit: MeterUnit
  private let starts: [WallTime]
  private let isHourly: Bool
  /// In the order of the page's colours; the others last.
  private let series: [(name: String, colour: Int, values: [Int64])]

  /// - Parameter apps: those with a colour of their own, the same on every chart of a page.
  init?(
    title: String, unit: MeterUnit, starts: [WallTime], bucketSeconds: Int64,
    values: [String: [Int64]], apps: [String]
  ) {
    let size = max(1, (starts.count + Self.barsMax - 1) / Self.barsMax)
    let merged = values.mapValues { Self.merge($0, by: size) }
      .filter { $0.value.contains { $0 > 0 } }
    guard !merged.isEmpty, !starts.isEmpty else { return nil }
    self.title = title
    self.unit = unit
    self.starts = stride(from: 0, to: starts.count, by: size).map { starts[$0] }
    isHourly = bucketSeconds < 86_400
    var series = apps.enumerated().compactMap { index, app in
      merged[app].map { (name: app, colour: index, values: $0) }
    }
    let rest = merged.filter { !apps.contains($0.key) }
    if !rest.isEmpty {
      let sums = self.starts.indices.map { index in rest.reduce(0) { $0 + $1.value[index] } }
      series.append((Self.others, Self.colours, sums))
    }
    self.series = series
  }

  private static func merge(_ values: [Int64], by size: Int) -> [Int64] {
    stride(from: 0, to: values.count, by: size).map { start in
      values[start..<min(start + size, values.count)].reduce(0, +)
    }
  }

  private func name(_ start: WallTime) -> String {
    let text = start.rfc3339
    return isHourly ? "\(text.prefix(10)) \(text.dropFirst(11).prefix(5))" : String(text.prefix(10))
  }

  func html() -> String {
    let sums = starts.indices.map { index in series.reduce(0) { $0 + $1.values[index] } }
    let most = sums.max() ?? 0
    let legend = series.map { item in
      "<span style=\"--c:var(--c\(item.colour))\">\(HTMLText.escaped(item.name))</span>"
    }.joined()
    let label = "\(title) over time, stacked by app. Highest: \(QuantityText.text(most, unit))."
    return """
      <figure><figcaption>\(legend)</figcaption>
      <div class="plot"><svg viewBox="0 0 \(starts.count) 100" preserveAspectRatio="none" \
      role="img" aria-label="\(HTMLText.escaped(label))">
      <line x1="0" y1="0.5" x2="\(starts.count)" y2="0.5"/>\
      <line x1="0" y1="50" x2="\(starts.count)" y2="50"/>
      \(bars(most))</svg><span class="top">\(QuantityText.text(most, unit))</span>\
      <span class="mid">\(QuantityText.text(most / 2, unit))</span></div>
      <div class="axis">\(axis())</div></figure>
      <details><summary>Data of this chart</summary>\(dataTable(sums))</details>

      """
  }

  private func bars(_ most: Int64) -> String {
    var out = ""
    for index in starts.indices {
      var below: Int64 = 0
      for item in series where item.values[index] > 0 {
        let value = item.values[index]
        let height = 100 * Double(value) / Double(most)
        let top = 100 - 100 * Double(below + value) / Double(most)
        out += "<rect x=\"\(index).08\" width=\"0.84\" y=\"\(short(top))\""
        out += " height=\"\(short(max(height, 0.4)))\" fill=\"var(--c\(item.colour))\">"
        out += "<title>\(name(starts[index])) \(HTMLText.escaped(item.name)): "
        out += "\(QuantityText.text(value, unit))</title></rect>\n"
        below += value
      }
    }
    return out
  }

  private func short(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(padded(abs(hundredths % 100), 2))"
  }

  /// First, middle and last bucket.
  private func axis() -> String {
    let marks = starts.count < 3 ? Array(starts.indices) : [0, starts.count / 2, starts.count - 1]
    return marks.map { "<span>\(name(starts[$0]))</span>" }.joined()
  }

  private func dataTable(_ sums: [Int64]) -> String {
    HTMLText.table(
      caption: "\(title) over time",
      header: [isHourly ? "Hour" : "Day"] + series.map(\.name) + ["Sum"],
      rows: starts.indices.map { index in
        [name(starts[index])] + series.map { QuantityText.text($0.values[index], unit) }
          + [QuantityText.text(sums[index], unit)]
      },
      footer: ["Sum"] + series.map { QuantityText.text($0.values.reduce(0, +), unit) }
        + [QuantityText.text(sums.reduce(0, +), unit)])
  }
}
