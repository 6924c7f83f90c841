// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Durations counted into fixed buckets, without a lock.
public final class LatencyHistogram: Sendable {
  /// Upper bounds in microseconds; a last bucket takes the rest.
  public static let bounds: [Int64] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
  ]

  private final class Bucket: Sendable {
    let count = Atomic<Int64>(0)
  }
  private let buckets = (0...LatencyHistogram.bounds.count).map { _ in Bucket() }
  private let sum = Atomic<Int64>(0)

  public init() {}

  public func observe(microseconds: Int64) {
    let duration = max(0, microseconds)
    var index = 0
    while index < Self.bounds.count, duration > Self.bounds[index] { index += 1 }
    buckets[index].count.wrappingAdd(1, ordering: .relaxed)
    sum.wrappingAdd(duration, ordering: .relaxed)
  }

  /// True until something was observed.
  public var isEmpty: Bool { buckets.allSatisfy { $0.count.load(ordering: .relaxed) == 0 } }

  /// Counts up to each bound, as Prometheus wants them, and the sum in microseconds.
  public var snapshot: (cumulative: [Int64], sum: Int64) {
    var running: Int64 = 0
    let counts = buckets.map { bucket in
      running += bucket.count.load(ordering: .relaxed)
      return running
    }
    return (counts, sum.load(ordering: .relaxed))
  }

  func samples(_ labels: [(name: String, value: String)]) -> [MetricFamily.Sample] {
    let (counts, sum) = snapshot
    var samples = zip(Self.bounds, counts).map { bound, count in
      MetricFamily.Sample(
        labels + [("le", QuantityText.decimal(bound, over: 1_000_000, places: 6))], "\(count)",
        suffix: "_bucket")
    }
    let all = counts.last ?? 0
    samples.append(.init(labels + [("le", "+Inf")], "\(all)", suffix: "_bucket"))
    samples.append(
      .init(labels, QuantityText.decimal(sum, over: 1_000_000, places: 6), suffix: "_sum"))
    samples.append(.init(labels, "\(all)", suffix: "_count"))
    return samples
  }
}
