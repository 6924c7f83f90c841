// SPDX-License-Identifier: Apache-2.0
import Meter
import Synchronization

/// Lets an app's requests through as far as its budget for them goes, and not only as far as the last tick knew: the
/// room is reserved in the ledger before the requests come. Without such a budget it costs one atomic read.
final class RequestGate: Sendable {
  static let subject = Meters.requests.name
  /// All the room there is: an app has one gate, so nobody else could use the rest.
  private static let chunk = Int64.max / 4

  private let app: String
  private let book: MeterBook
  private let isLimited = Atomic<Bool>(false)
  private let lease = Mutex<QuotaLease?>(nil)

  init(app: String, book: MeterBook) {
    self.app = app
    self.book = book
  }

  /// Nil lets the request through; otherwise what the used-up budget asks for.
  func refusal() -> BudgetHold? {
    guard isLimited.load(ordering: .relaxed) else { return nil }
    guard let lease = lease.withLock({ $0 }), !lease.take() else { return nil }
    let limits = limits
    // The tick has not yet seen that it is used up, so the standing alone does not say so.
    if let stop = limits.first(where: { $0.limit.action == .stop }) {
      return .stopped(subject: Self.subject, untilSeconds: stop.resetsAt.seconds)
    }
    return limits.isEmpty ? nil : .throttled(subject: Self.subject)
  }

  private var limits: [LimitStanding] {
    book.standings(app: app).filter {
      $0.limit.subject == Self.subject && $0.limit.action != .warn
    }
  }

  /// Follows the app's limits. Call after each tick and when they have changed; blocks for a moment on the book.
  func follow() {
    let isNeeded = !limits.isEmpty
    let hadRoom = lease.withLock { lease in
      let hadRoom = lease != nil
      if isNeeded, lease == nil {
        lease = book.lease(app: app, subject: Self.subject, chunk: Self.chunk)
      } else if !isNeeded, let old = lease {
        book.end(old)
        lease = nil
      }
      return hadRoom
    }
    // A new lease has no room before the next tick: until then the standing alone decides.
    isLimited.store(isNeeded && hadRoom, ordering: .relaxed)
  }

  /// The app is gone, and its room with it.
  func close() {
    isLimited.store(false, ordering: .relaxed)
    let old = lease.withLock { lease in
      defer { lease = nil }
      return lease
    }
    if let old { book.end(old) }
  }
}
