// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Room held for work that is about to happen. Release it when the work is done and counted: the
/// next tick drains what was really used and lets go of the rest in one batch. A reservation that is
/// never released (the host died) expires by itself after its lease.
public struct Reservation: Sendable {
  public let app: String
  public let subject: String
  public let amount: Int64
  /// The pending transfers that hold it, one for each limit.
  let holds: [UInt128]
  let ledger: UInt32
}

/// The answer to a request for room.
public enum ReservationAnswer: Sendable {
  case granted(Reservation)
  /// Which limit is in the way, and when it begins again.
  case refused(LimitStanding)
}

/// Room for many small pieces of work, such as requests: `take` costs one atomic addition. Each tick
/// tops the room up from the ledger.
///
/// The bound: work in flight when a tick counts may be granted once more, so use can exceed a limit
/// by at most the number of calls in flight plus nothing else; what is not reserved at all (CPU) can
/// exceed it by what is used in one interval.
public final class QuotaLease: Sendable {
  public let app: String
  public let subject: String
  /// How much is asked for at each tick.
  public let chunk: Int64
  private let taken = Atomic<Int64>(0)
  /// `taken` may rise to here; `.max` where no limit applies.
  private let allowance: Atomic<Int64>

  init(app: String, subject: String, chunk: Int64, unlimited: Bool) {
    self.app = app
    self.subject = subject
    self.chunk = chunk
    allowance = Atomic(unlimited ? .max : 0)
  }

  /// Takes `amount` if there is room.
  public func take(_ amount: Int64 = 1) -> Bool {
    guard amount > 0 else { return true }
    let (before, after) = taken.add(amount, ordering: .relaxed)
    if after <= allowance.load(ordering: .relaxed) { return true }
    _ = before
    taken.subtract(amount, ordering: .relaxed)
    return false
  }

  /// Replaces what is left by `amount` more than is taken now.
  func refill(_ amount: Int64) {
    allowance.store(taken.load(ordering: .relaxed) + amount, ordering: .relaxed)
  }

  func lift() { allowance.store(.max, ordering: .relaxed) }
}
