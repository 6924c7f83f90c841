// SPDX-License-Identifier: Apache-2.0
import SQLite
import Synchronization

extension MeterBook {
  /// The prices in force, past ones included.
  public var prices: PriceBook { memory.withLock { $0.pricing.book } }

  /// Puts a new price book in force, from the next tick on. Blocks.
  ///
  /// Charges made before stay as they are: versions that have begun must be in the new book
  /// unchanged, and a new version must start in the future.
  /// - Throws: `prices` with every problem, or what the disk says.
  public func setPrices(_ source: PriceBookSource) throws(MeterError) {
    let meters = try knownDefinitions()
    let book: PriceBook
    do {
      book = try PriceBookCheck.check(source, meters: meters)
    } catch {
      throw .prices(error)
    }
    let problems = PriceChange.problems(from: prices, to: book, now: clock.wall())
    guard problems.isEmpty else { throw .prices(PriceProblems(problems: problems)) }
    try registry.register(Pricing.definitions(for: book))
    try disk.withLock { disk throws(MeterError) in
      let store = disk.store
      let numbers = book.versions.map { "\($0.number)" }.joined(separator: ", ")
      let event = MeterEvent(
        at: clock.wall(), kind: .pricesChanged, detail: "the price book has versions \(numbers)")
      try store.transaction { () throws(SQLiteError) in
        try store.save(book)
        try store.append([event])
      }
      memory.withLock { $0.pricing.book = book }
    }
  }
}
