// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine
import Locks
import Synchronization

/// A thread that carries out requests, and what the watchdog may know of it.
final class ServingThread: StatementBudget, @unchecked Sendable {
  private enum Lead {
    static let none: UInt8 = 0
    static let reading: UInt8 = 1
    static let handling: UInt8 = 2
  }

  /// What runs now, for the watchdog and for cancelling.
  struct Running {
    var call: Call
    /// The connection's address, for `sqlite3_interrupt`; 0 while waiting.
    var connection: UInt
    var deadline: UInt64
    var isCommitting = false
    var isWaiting = false
  }

  let channel: Channel?
  private let worker: Worker
  private let lead = Atomic<UInt8>(Lead.none)
  let running = Lock<Running?>(nil)

  // SAFETY: the three below are touched by the thread itself only.
  private var started: UInt64 = 0
  private var deadline: UInt64 = 0
  private var call: Call?

  /// A statement that runs longer than this is slow: another thread reads on, in nanoseconds.
  private static let slow: UInt64 = 1_000_000

  init(channel: Channel?, worker: Worker) {
    self.channel = channel
    self.worker = worker
  }

  // Leadership. The thread itself and the watchdog may take it away while a request is handled, never while reading.
  func becomeLeader() { lead.store(Lead.reading, ordering: .releasing) }
  func beginHandling() { lead.store(Lead.handling, ordering: .releasing) }
  func endHandling() -> Bool { swap(Lead.handling, Lead.reading) }
  func resignLead() -> Bool { swap(Lead.handling, Lead.none) }
  func regainLead() { lead.store(Lead.handling, ordering: .releasing) }
  var isLeading: Bool { lead.load(ordering: .relaxed) != Lead.none }

  private func swap(_ from: UInt8, _ to: UInt8) -> Bool {
    lead.compareExchange(expected: from, desired: to, ordering: .acquiringAndReleasing).exchanged
  }

  /// Lets another thread read on; true if one does, or if this thread was not reading anyway.
  @discardableResult
  func handOver() -> Bool { channel?.handOver(self, worker: worker) ?? true }

  func answer(_ call: Call, _ frame: [UInt8]) {
    // The leader gathers answers until it has read all that came; a follower's go out at once.
    call.answer(frame, flush: !(isLeading && call.channel === channel))
  }

  /// Runs statements for `call`, stopped at its deadline.
  func run<Result>(
    _ call: Call, on connection: GuardedConnection, until limit: UInt64? = nil,
    _ body: () throws(HostError) -> Result
  ) throws(HostError) -> Result {
    guard !call.isCancelled else { throw SQLFailure.cancelled }
    started = Monotonic.now
    deadline = min(call.deadline, limit ?? .max)
    self.call = call
    running.withLock {
      $0 = Running(
        call: call, connection: UInt(bitPattern: connection.handle), deadline: deadline)
    }
    connection.budget = self
    worker.watchdog.noteWork()
    defer {
      connection.budget = nil
      running.withLock { $0 = nil }
      self.call = nil
      worker.statistics.busyNanoseconds.add(
        Int(clamping: Monotonic.now - started), ordering: .relaxed)
    }
    do throws(HostError) {
      return try body()
    } catch {
      throw error.code == SQLFailure.deadline.code && call.isCancelled
        ? SQLFailure.cancelled : error
    }
  }

  func mayContinue() -> Bool {
    let now = Monotonic.now
    if now > deadline || call?.isCancelled ?? false { return false }
    if now - started > Self.slow, lead.load(ordering: .relaxed) == Lead.handling { handOver() }
    return true
  }

  func committing() { running.withLock { $0?.isCommitting = true } }

  /// Waits for something outside SQLite without the clock of the statement running.
  func pause(_ body: () -> Bool) -> Bool {
    let began = Monotonic.now
    running.withLock { $0?.isWaiting = true }
    let result = body()
    let waited = Monotonic.now - began
    deadline += waited
    started += waited
    running.withLock {
      $0?.isWaiting = false
      $0?.deadline = deadline
    }
    return result
  }
}

/// All threads that may be running something.
final class ThreadRegistry: Sendable {
  private let threads = Lock<[ObjectIdentifier: ServingThread]>([:])

  func insert(_ thread: ServingThread) {
    threads.withLock { $0[ObjectIdentifier(thread)] = thread }
  }
  func remove(_ thread: ServingThread) { threads.withLock { $0[ObjectIdentifier(thread)] = nil } }
  var all: [ServingThread] { threads.withLock { Array($0.values) } }
}
