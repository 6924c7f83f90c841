// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// An app's calls to the host since the host started: how many by method and outcome, and how long they took. For the
/// metrics alone; what is charged is the meter `calls`.
public final class CallStatistics: Sendable {
  public struct Key: Sendable, Hashable {
    public var method: String
    /// `ok` or `error`.
    public var outcome: String
  }

  /// LIMIT: methods kept apart; an app can call what it likes. Further ones are counted as `(other)`.
  public static let methodsMax = 64

  public let durations = LatencyHistogram()
  private let counts = Mutex<[Key: Int64]>([:])

  public init() {}

  public func observe(method: String, isFailure: Bool, microseconds: Int64) {
    durations.observe(microseconds: microseconds)
    counts.withLock { counts in
      var key = Key(method: method, outcome: isFailure ? "error" : "ok")
      if counts[key] == nil, counts.count >= Self.methodsMax {
        key.method = MeterRegistry.overflowLabel
      }
      counts[key, default: 0] += 1
    }
  }

  /// By method, then outcome.
  var snapshot: [(key: Key, count: Int64)] {
    counts.withLock { counts in
      counts.map { ($0.key, $0.value) }.sorted {
        ($0.0.method, $0.0.outcome) < ($1.0.method, $1.0.outcome)
      }
    }
  }
}
