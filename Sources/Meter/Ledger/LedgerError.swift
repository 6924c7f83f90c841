// SPDX-License-Identifier: Apache-2.0

/// Why a ledger could not answer. A refusal of one event is not an error: it is that event's status.
public enum LedgerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// More events in one batch than the ledger takes.
  case batchTooLarge(events: Int, max: Int)
  /// An amount or a sum of amounts of 2^63 or more (and not `AMOUNT_MAX` where that is allowed).
  case amountTooLarge
  /// A value this ledger does not take, such as `imported` events.
  case unsupported(String)
  /// The ledger did not answer in time. The batch may still have taken effect: retry it with the
  /// same ids.
  case timedOut(seconds: Int)
  /// The backend is not usable; `why` says what to do.
  case unavailable(why: String)
  case storage(detail: String)

  public var description: String {
    switch self {
    case .batchTooLarge(let events, let max):
      "the ledger takes at most \(max) events at once, not \(events)."
    case .amountTooLarge:
      "an amount or a balance would reach 2^63. Amounts are limited to 9223372036854775807."
    case .unsupported(let what): "this ledger does not take \(what)."
    case .timedOut(let seconds):
      "the ledger did not answer within \(seconds) s. The batch is retried with the same ids."
    case .unavailable(let why): "the ledger cannot be used: \(why)."
    case .storage(let detail): "the ledger's file cannot be used: \(detail)."
    }
  }
}
