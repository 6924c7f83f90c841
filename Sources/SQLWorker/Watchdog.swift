// SPDX-License-Identifier: Apache-2.0
import CSQLite
import Glibc
import GuestAPI
import Locks
import SQLEngine
import Synchronization

/// Looks after what cannot look after itself: statements that do not come back, transactions and queued requests whose
/// time is over. Sleeps without a single wake-up while there is no work.
final class Watchdog: Sendable {
  private let monitor = Monitor()
  private let isAsleep = Atomic<Bool>(false)
  private let hasWorked = Atomic<Bool>(false)
  /// How often it looks while there is work, in milliseconds.
  private static let periodMs: Int64 = 100
  /// Rounds without work before it sleeps.
  private static let quietRounds = 20
  /// How long a commit may take the disk before the worker is given up, in milliseconds.
  private static let commitMs: Int64 = 60_000
  /// The worker's exit status when it ended itself because of a statement.
  static let exitStatus: Int32 = 3

  /// On every piece of work; costs two loads unless the watchdog sleeps.
  func noteWork() {
    if !hasWorked.load(ordering: .relaxed) {
      hasWorked.store(true, ordering: .sequentiallyConsistent)
    }
    guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
    monitor.locked { monitor.signal() }
  }

  func run(_ worker: Worker) {
    var quiet = 0
    var lastReport = Monotonic.now
    while true {
      let isOpen = look(at: worker)
      if hasWorked.exchange(false, ordering: .sequentiallyConsistent) || isOpen {
        quiet = 0
      } else {
        quiet += 1
      }
      let now = Monotonic.now
      let isDue = now >= Monotonic.after(milliseconds: worker.plan.statsMs, from: lastReport)
      let willSleep = quiet >= Self.quietRounds
      if isDue && quiet == 0 || willSleep {
        worker.reportStatistics()
        lastReport = now
      }
      sleep(willSleep)
      if willSleep { quiet = 0 }
    }
  }

  private func sleep(_ deeply: Bool) {
    monitor.lock()
    defer { monitor.unlock() }
    guard deeply else { return monitor.wait(until: Monotonic.after(milliseconds: Self.periodMs)) }
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    // Work that was noted before the flag was up has not signalled.
    while !hasWorked.load(ordering: .sequentiallyConsistent) { monitor.wait() }
    isAsleep.store(false, ordering: .sequentiallyConsistent)
  }

  /// True while something is under way or open.
  private func look(at worker: Worker) -> Bool {
    let now = Monotonic.now
    var isOpen = false
    for thread in worker.threads.all {
      guard let running = thread.running.withLock({ $0 }), !running.isWaiting else { continue }
      isOpen = true
      look(at: thread, running, now, worker)
    }
    for transaction in worker.transactions.all {
      isOpen = true
      if transaction.lane.takeForSettling() { worker.drain(transaction.lane) }
    }
    for database in worker.databases.open {
      guard let lane = database.openLane else { continue }
      for call in lane.expireQueued(now: now) {
        let error = call.isCancelled ? SQLFailure.cancelled : Lane.waited
        call.answer(ReplyFrame.error(call.id, error), flush: true)
      }
      if !lane.waiting.isEmpty { isOpen = true }
    }
    return isOpen
  }

  private func look(
    at thread: ServingThread, _ running: ServingThread.Running, _ now: UInt64, _ worker: Worker
  ) {
    // One long step of SQLite asks nobody: its socket is read on by another thread all the same.
    thread.handOver()
    let patience = running.isCommitting ? Self.commitMs : worker.plan.graceMs
    if now > Monotonic.after(milliseconds: patience, from: running.deadline) {
      worker.giveUp(on: running.call)
    }
    guard now > running.deadline || running.call.isCancelled else { return }
    thread.running.withLock { current in
      // Only while it still runs on this connection: the lock keeps it from being closed meanwhile.
      guard let current, current.call === running.call, !current.isCommitting else { return }
      sqlite3_interrupt(OpaquePointer(bitPattern: current.connection))
    }
  }
}
