// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Adds quantities of one meter for one app and label. Keep it and call `add` for every request:
/// one atomic addition, no lock, from any thread.
public final class MeterCounter: Sendable {
  private let amount = Atomic<Int64>(0)

  init() {}

  /// Adds `quantity`; zero and negative quantities are ignored, since a counter never goes back.
  @inline(__always)
  public func add(_ quantity: Int64) {
    guard quantity > 0 else { return }
    amount.wrappingAdd(quantity, ordering: .relaxed)
  }

  /// Takes what was added since the last time. Every unit is taken exactly once.
  func drain() -> Int64 { amount.exchange(0, ordering: .relaxed) }

  /// What waits for the next tick.
  var waiting: Int64 { amount.load(ordering: .relaxed) }
}

/// Sets one level (bytes held) for one app and label.
public final class MeterLevel: Sendable {
  /// −1 until it was set for the first time.
  private let value = Atomic<Int64>(-1)
  private let isChanged = Atomic<Bool>(false)

  init() {}

  /// The amount held now, read from the file system or the index; negative values are ignored.
  public func set(_ bytes: Int64) {
    guard bytes >= 0 else { return }
    let before = value.exchange(bytes, ordering: .relaxed)
    if before != bytes { isChanged.store(true, ordering: .releasing) }
  }

  /// The amount, if it was set to another one since the last time.
  func takeChange() -> Int64? {
    isChanged.exchange(false, ordering: .acquiringAndReleasing) ? current : nil
  }

  var current: Int64? {
    let bytes = value.load(ordering: .relaxed)
    return bytes < 0 ? nil : bytes
  }
}
