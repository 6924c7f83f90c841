// SPDX-License-Identifier: Apache-2.0

/// Which known word a misspelt one was probably meant to be.
enum Spelling {
  /// The nearest of `words`, if it is near enough to be worth saying: a third of its letters at most differ.
  static func nearest(to word: String, among words: [String]) -> String? {
    let best =
      words
      .map { (word: $0, distance: distance(word, $0)) }
      .min { $0.distance < $1.distance }
    guard let best, best.distance <= max(1, best.word.count / 3) else { return nil }
    return best.word
  }

  /// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours each cost one.
  /// Words over 64 characters are cut there: keys are short, and the cost is the product of the lengths.
  static func distance(_ first: String, _ second: String) -> Int {
    let a = Array(first.utf8.prefix(64))
    let b = Array(second.utf8.prefix(64))
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [i] + Array(repeating: 0, count: b.count)
      for j in 1...b.count {
        let substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        row[j] = min(last[j] + 1, row[j - 1] + 1, substitution)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          row[j] = min(row[j], beforeLast[j - 2] + 1)
        }
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }
}
