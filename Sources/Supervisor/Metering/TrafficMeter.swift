// SPDX-License-Identifier: Apache-2.0
import Meter

/// Counts what passes the gateway for one app. Five atomic additions a request.
final class TrafficMeter: TrafficCounter {
  private let received: MeterCounter
  private let sent: MeterCounter
  private let byClass: [MeterCounter]
  private let hostWork: HostWork
  let durations = LatencyHistogram()

  init(app: String, registry: MeterRegistry, hostWork: HostWork) throws(MeterError) {
    self.hostWork = hostWork
    received = try registry.counter(Meters.ingressReceived, app: app)
    sent = try registry.counter(Meters.ingressSent, app: app)
    var counters: [MeterCounter] = []
    for label in ["1xx", "2xx", "3xx", "4xx", "5xx"] {
      counters.append(try registry.counter(Meters.requests, app: app, label: label))
    }
    byClass = counters
  }

  func count(received bytes: Int) { received.add(Int64(bytes)) }
  func count(sent bytes: Int) { sent.add(Int64(bytes)) }
  func chargeHost(nanoseconds: Int64) { hostWork.add(nanoseconds: nanoseconds) }
  func countRequest(status: Int, microseconds: Int64) {
    byClass[min(max(status / 100, 1), 5) - 1].add(1)
    durations.observe(microseconds: microseconds)
  }
}

/// Counts an app's calls to one area of the host, by method, on their way to the broker, and times them until the answer.
struct CountedBroker: Broker {
  let broker: any Broker
  let app: String
  let registry: MeterRegistry
  let statistics: CallStatistics
  let clock: MeterClock

  func handle(_ request: ServiceRequest, reply: @escaping @Sendable (ServiceReply) -> Void) {
    // A meter that cannot be had (too many labels) must not cost the app its call.
    if let counter = try? registry.counter(Meters.calls, app: app, label: request.method) {
      counter.add(1)
    }
    let (statistics, clock, method, start) = (statistics, clock, request.method, clock.monotonic())
    broker.handle(request) { answer in
      let isFailure = if case .failure = answer { true } else { false }
      statistics.observe(
        method: method, isFailure: isFailure,
        microseconds: (clock.monotonic() - start).value / 1_000)
      reply(answer)
    }
  }
}
