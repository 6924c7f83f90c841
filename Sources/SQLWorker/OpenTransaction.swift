// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine
import Locks
import Synchronization

/// An interactive transaction: a lane kept for one caller until commit, rollback or its deadline.
final class OpenTransaction: @unchecked Sendable {
  enum Mode: String { case read, write }

  let id: Int64
  let mode: Mode
  let database: Database
  let channel: Channel
  let deadline: UInt64
  // SAFETY: set once, before the transaction is known to others.
  var lane: Lane!
  private let isEndedFlag = Atomic<Bool>(false)
  private let onEnd: @Sendable (OpenTransaction) -> Void

  init(
    id: Int64, mode: Mode, database: Database, channel: Channel, deadline: UInt64,
    onEnd: @escaping @Sendable (OpenTransaction) -> Void
  ) {
    self.id = id
    self.mode = mode
    self.database = database
    self.channel = channel
    self.deadline = deadline
    self.onEnd = onEnd
  }

  var isEnded: Bool { isEndedFlag.load(ordering: .acquiring) }
  var isExpired: Bool { Monotonic.now > deadline }

  /// Marks it as over; the lane rolls back what is left and lets others in.
  func abandon() { isEndedFlag.store(true, ordering: .releasing) }

  /// On the lane, once nothing of it is left on the connection.
  func end() {
    isEndedFlag.store(true, ordering: .releasing)
    onEnd(self)
  }

  static let ended = HostError(
    .notFound, "transaction",
    "the transaction is not open: it was committed, rolled back, or ended at its deadline")
}

/// The open ones, by id.
final class TransactionRegistry: Sendable {
  private struct State {
    var open: [Int64: OpenTransaction] = [:]
    var reserved = 0
    var next: Int64 = 1
  }
  private let state = Lock(State())

  /// The next id, if one more may be open. Each reservation ends in `insert` or `release`.
  func reserve(max: Int) -> Int64? {
    state.withLock { state in
      guard state.open.count + state.reserved < max else { return nil }
      state.reserved += 1
      state.next += 1
      return state.next - 1
    }
  }

  func release() { state.withLock { $0.reserved -= 1 } }

  func insert(_ transaction: OpenTransaction) {
    state.withLock {
      $0.reserved -= 1
      $0.open[transaction.id] = transaction
    }
  }

  func remove(_ transaction: OpenTransaction) { state.withLock { $0.open[transaction.id] = nil } }
  func find(_ id: Int64) -> OpenTransaction? { state.withLock { $0.open[id] } }
  var all: [OpenTransaction] { state.withLock { Array($0.open.values) } }
}
