// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Supervisor
import Testing

@Suite("A guest's lifecycle, as a value")
struct GuestLifecycleTests {
  typealias State = GuestLifecycle.State
  static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

  /// One row: from a state, an event leads to a state and an action.
  struct Row: Sendable, CustomTestStringConvertible {
    var from: [GuestLifecycle.Event]
    var event: GuestLifecycle.Event
    /// Seconds from the start of the row's state to the event.
    var after: Int64 = 0
    var to: State
    var action: GuestLifecycle.Action
    var testDescription: String { "\(from) → \(event) after \(after) s" }
  }

  private static func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }
  private static let soon = start + .milliseconds(200)

  static let rows: [Row] = [
    Row(from: [], event: .demand, to: .starting(since: start), action: .launch),
    Row(from: [], event: .restart, to: .starting(since: start), action: .launch),
    Row(from: [], event: .stop, to: .stopped, action: .none),
    Row(from: [], event: .tick, to: .stopped, action: .none),
    Row(from: [], event: .ready, to: .stopped, action: .none),
    Row(from: [], event: .exited, to: .stopped, action: .none),
    Row(from: [], event: .startFailed, to: .stopped, action: .none),

    Row(from: [.demand], event: .demand, to: .starting(since: start), action: .none),
    Row(from: [.demand], event: .ready, after: 3, to: .running(since: at(3)), action: .none),
    Row(from: [.demand], event: .tick, after: 10, to: .starting(since: start), action: .none),
    Row(from: [.demand], event: .tick, after: 11, to: .starting(since: start), action: .kill),
    Row(from: [.demand], event: .startFailed, to: .backoff(until: soon), action: .none),
    Row(from: [.demand], event: .exited, to: .backoff(until: soon), action: .none),
    Row(
      from: [.demand], event: .stop, to: .stopping(since: start, startAgain: false), action: .kill),
    Row(
      from: [.demand], event: .restart, to: .stopping(since: start, startAgain: true),
      action: .kill),

    Row(from: [.demand, .ready], event: .demand, to: .running(since: start), action: .none),
    Row(from: [.demand, .ready], event: .ready, to: .running(since: start), action: .none),
    Row(
      from: [.demand, .ready], event: .tick, after: 9_999, to: .running(since: start), action: .none
    ),
    Row(from: [.demand, .ready], event: .exited, to: .backoff(until: soon), action: .none),
    Row(
      from: [.demand, .ready], event: .stop, to: .stopping(since: start, startAgain: false),
      action: .shutdown),
    Row(
      from: [.demand, .ready], event: .restart, to: .stopping(since: start, startAgain: true),
      action: .shutdown),

    Row(
      from: [.demand, .ready, .stop], event: .demand,
      to: .stopping(since: start, startAgain: true), action: .none),
    Row(
      from: [.demand, .ready, .stop], event: .ready,
      to: .stopping(since: start, startAgain: false), action: .none),
    Row(
      from: [.demand, .ready, .stop], event: .tick, after: 5,
      to: .stopping(since: start, startAgain: false), action: .none),
    Row(
      from: [.demand, .ready, .stop], event: .tick, after: 6,
      to: .stopping(since: start, startAgain: false), action: .kill),
    Row(from: [.demand, .ready, .stop], event: .exited, to: .stopped, action: .none),
    Row(from: [.demand, .stop], event: .startFailed, to: .stopped, action: .none),
    Row(
      from: [.demand, .ready, .restart], event: .stop,
      to: .stopping(since: start, startAgain: false), action: .none),
    Row(
      from: [.demand, .ready, .stop], event: .restart,
      to: .stopping(since: start, startAgain: true), action: .none),
    Row(
      from: [.demand, .ready, .restart], event: .exited, after: 2, to: .starting(since: at(2)),
      action: .launch),

    Row(from: [.demand, .exited], event: .demand, to: .backoff(until: soon), action: .none),
    Row(
      from: [.demand, .exited], event: .demand, after: 1, to: .starting(since: at(1)),
      action: .launch),
    Row(
      from: [.demand, .exited], event: .tick, after: 1, to: .backoff(until: soon), action: .none),
    Row(from: [.demand, .exited], event: .stop, to: .stopped, action: .none),
    Row(from: [.demand, .exited], event: .restart, to: .starting(since: start), action: .launch),
    Row(from: [.demand, .exited], event: .exited, to: .backoff(until: soon), action: .none),
  ]

  @Test("every state meets every event as the table says", arguments: rows)
  func table(row: Row) {
    var lifecycle = GuestLifecycle(startTimeout: .seconds(10), stopGrace: .seconds(5))
    for event in row.from { _ = lifecycle.handle(event, now: Self.start) }
    let action = lifecycle.handle(row.event, now: Self.start + .seconds(row.after))
    #expect(lifecycle.state == row.to)
    #expect(action == row.action)
  }

  @Test("the wait after a failure doubles from 200 ms to a minute, and is spread by a tenth")
  func backoff() {
    var lifecycle = GuestLifecycle(startTimeout: .seconds(10))
    var now = Self.start
    var waits: [Int64] = []
    for _ in 0..<14 {
      #expect(lifecycle.handle(.demand, now: now) == .launch)
      _ = lifecycle.handle(.exited, now: now)
      guard case .backoff(let until) = lifecycle.state else {
        Issue.record("\(lifecycle.state)")
        return
      }
      waits.append((until - now).nanoseconds / 1_000_000)
      now = until
    }
    #expect(
      waits == [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200]
        + Array(repeating: 60_000, count: 5))
    for jitter in [-1.0, 1.0] {
      var spread = GuestLifecycle(startTimeout: .seconds(10))
      _ = spread.handle(.demand, now: now)
      _ = spread.handle(.exited, now: now, jitter: jitter)
      #expect(spread.state == .backoff(until: now + .milliseconds(200 + Int64(20 * jitter))))
    }
  }

  @Test("a minute of running forgives earlier failures; 59 seconds do not")
  func forgiving() {
    for (seconds, wait) in [(59, 800), (60, 200)] as [(Int64, Int64)] {
      var lifecycle = GuestLifecycle(startTimeout: .seconds(10))
      var now = Self.start
      for _ in 0..<2 {
        _ = lifecycle.handle(.demand, now: now)
        _ = lifecycle.handle(.exited, now: now)
        now = now + .seconds(1)
      }
      _ = lifecycle.handle(.demand, now: now)
      _ = lifecycle.handle(.ready, now: now)
      now = now + .seconds(seconds)
      _ = lifecycle.handle(.exited, now: now)
      #expect(lifecycle.state == .backoff(until: now + .milliseconds(wait)))
      #expect(lifecycle.restarts == 3)
    }
  }

  @Test(
    "no order of events runs two guests, forgets one or waits for ever",
    arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func walk(seed: UInt64) {
    var random = SeededNumbers(seed: seed)
    var lifecycle = GuestLifecycle(startTimeout: .seconds(10), stopGrace: .seconds(5))
    var now = Self.start
    var process = FakeLife()
    for step in 0..<20_000 {
      now = now + .milliseconds(Int64.random(in: 0...4_000, using: &random))
      let event = process.nextEvent(using: &random)
      let action = lifecycle.handle(event, now: now, jitter: .random(in: -1...1, using: &random))
      process.obey(action, at: now)
      let where_ = "seed \(seed), step \(step): \(event) → \(lifecycle.state)"
      #expect(process.alive <= 1, "two guests at once; \(where_)")
      #expect(process.alive == (Self.expectsProcess(lifecycle.state) ? 1 : 0), "\(where_)")
      if case .backoff(let until) = lifecycle.state {
        #expect(until - now <= .seconds(66), "\(where_)")
      }
      if case .stopping(let since, _) = lifecycle.state, event.isTick, now - since > .seconds(5) {
        #expect(action == .kill, "\(where_)")
      }
    }
    #expect(process.launches > 500, "seed \(seed): the walk must get somewhere")
  }

  private static func expectsProcess(_ state: State) -> Bool {
    switch state {
    case .starting, .running, .stopping: true
    case .stopped, .backoff: false
    }
  }
}

/// A process as the lifecycle sees it: it comes up, fails or ends when it likes, and always ends once killed.
private struct FakeLife {
  var alive = 0
  var launches = 0
  private var isKilled = false

  mutating func nextEvent(using random: inout SeededNumbers) -> GuestLifecycle.Event {
    let fromOutside: [GuestLifecycle.Event] = [.demand, .demand, .stop, .restart, .tick, .tick]
    guard alive > 0, isKilled || Bool.random(using: &random) else {
      return fromOutside.randomElement(using: &random) ?? .tick
    }
    if isKilled || Int.random(in: 0..<3, using: &random) == 0 {
      alive -= 1
      isKilled = false
      return .exited
    }
    return .ready
  }

  mutating func obey(_ action: GuestLifecycle.Action, at now: NIODeadline) {
    switch action {
    case .launch:
      alive += 1
      launches += 1
      isKilled = false
    case .kill: isKilled = true
    case .shutdown, .none: break
    }
  }
}

extension GuestLifecycle.Event {
  fileprivate var isTick: Bool { if case .tick = self { true } else { false } }
}
