// SPDX-License-Identifier: Apache-2.0

/// A bounded cache of two generations: what was used since the last turn stays, the rest goes at the next one. Every
/// operation takes constant time, and what is used often survives as it would in a least-recently-used list.
package struct GenerationCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    var value: Value
    var cost: Int
  }

  private var young: [Key: Entry] = [:]
  private var old: [Key: Entry] = [:]
  private var youngCost = 0
  private var oldCost = 0
  private let costMax: Int
  private let countMax: Int

  /// Both bounds hold over both generations together.
  package init(costMax: Int, countMax: Int) {
    self.costMax = costMax
    self.countMax = countMax
  }

  package var count: Int { young.count + old.count }
  package var cost: Int { youngCost + oldCost }

  package subscript(key: Key) -> Value? {
    mutating get {
      if let entry = young[key] { return entry.value }
      guard let entry = old[key] else { return nil }
      insert(entry.value, for: key, cost: entry.cost)
      return entry.value
    }
  }

  /// A value that costs more than half of all is not kept: it would push out everything else.
  package mutating func insert(_ value: Value, for key: Key, cost: Int) {
    if let entry = young.removeValue(forKey: key) { youngCost -= entry.cost }
    if let entry = old.removeValue(forKey: key) { oldCost -= entry.cost }
    guard cost <= costMax / 2 else { return }
    if youngCost + cost > costMax / 2 || young.count + 1 > countMax / 2 {
      (old, oldCost) = (young, youngCost)
      (young, youngCost) = ([:], 0)
    }
    young[key] = Entry(value: value, cost: cost)
    youngCost += cost
  }
}
