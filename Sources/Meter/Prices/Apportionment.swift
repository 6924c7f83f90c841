// SPDX-License-Identifier: Apache-2.0

/// Divides a whole amount into whole parts by weight, so that the parts sum to it exactly: each gets
/// its share rounded down, and what is left goes one by one to the largest remainders (Hamilton's
/// method); equal remainders are served in order.
package func apportion(_ amount: Int64, by weights: [Int64]) -> [Int64] {
  let total = weights.reduce(Int128(0)) { $0 + Int128($1) }
  guard total > 0 else {
    // Nothing to go by: the first takes it all, so that nothing is lost.
    return weights.indices.map { $0 == weights.startIndex ? amount : 0 }
  }
  var parts: [Int64] = []
  var remainders: [(index: Int, remainder: Int128)] = []
  for (index, weight) in weights.enumerated() {
    let share = Int128(amount) * Int128(weight)
    parts.append(Int64(share / total))
    remainders.append((index, share % total))
  }
  var left = amount - parts.reduce(0, +)
  for (index, _) in remainders.sorted(by: {
    ($1.remainder, $0.index) < ($0.remainder, $1.index)
  }) where left > 0 {
    parts[index] += 1
    left -= 1
  }
  return parts
}
