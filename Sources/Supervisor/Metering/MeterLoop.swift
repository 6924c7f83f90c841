// SPDX-License-Identifier: Apache-2.0
import Glibc
import Logging
import Meter
import Synchronization

/// The thread that measures: samples every sealed process once a second and writes one batch every interval.
final class MeterLoop: Sendable {
  static let sampleEvery: Int64 = 1
  static let tickEvery: Int64 = 5
  /// For apps with a process that runs; what nobody runs changes only by what is noted.
  static let surveyEvery: Int64 = 60
  /// For all, whatever is known of them.
  static let surveyAllEvery: Int64 = 3_600

  let book: MeterBook
  let processes = ProcessTable()
  private let clock: MeterClock
  private let logger: Logger
  private let apps: @Sendable () -> [InstalledApp]
  /// Held from reading the kernel until the book has it. Readings recorded out of order would look like a counter that
  /// went back, and one recorded after its process's last word would count everything a second time.
  private let reading = Mutex<Void>(())
  /// Apps whose storage has probably changed: a guest of theirs has ended.
  private let dueForSurvey = Mutex<Set<String>>([])
  private let isStopping = Atomic<Bool>(false)
  /// Called after each tick: what was used may have changed what apps may do.
  private let afterTick = Mutex<(@Sendable () -> Void)?>(nil)
  /// Called with what an app holds of a kind, each time it was counted.
  private let onSurvey = Mutex<(@Sendable (String, String, Int64) -> Void)?>(nil)
  private let hasStopped = Mutex(false)

  init(
    book: MeterBook, clock: MeterClock, logger: Logger,
    apps: @escaping @Sendable () -> [InstalledApp]
  ) {
    self.book = book
    self.clock = clock
    self.logger = logger
    self.apps = apps
  }

  func start(
    onSurvey: @escaping @Sendable (_ app: String, _ kind: String, _ bytes: Int64) -> Void,
    afterTick: @escaping @Sendable () -> Void
  ) {
    self.onSurvey.withLock { $0 = onSurvey }
    self.afterTick.withLock { $0 = afterTick }
    HostThread.start(named: "meter") { [self] in run() }
  }

  private func run() {
    var second: Int64 = 0
    var next = clock.monotonic().value
    while !isStopping.load(ordering: .acquiring) {
      sample()
      if second % Self.surveyAllEvery == 0 {
        survey()
      } else {
        surveyWhatIsDue(running: second % Self.surveyEvery == 0)
      }
      if second % Self.tickEvery == Self.tickEvery - 1 { tick() }
      second += 1
      next += Self.sampleEvery * 1_000_000_000
      sleep(until: next)
    }
    sample()
    survey()
    do throws(MeterError) { try book.close() } catch {
      logger.error("the meter could not be closed", metadata: ["error": "\(error)"])
    }
    hasStopped.withLock { $0 = true }
  }

  /// Sleeps in short pieces, so that a stop does not wait for a whole second.
  private func sleep(until time: Int64) {
    while !isStopping.load(ordering: .acquiring) {
      let left = time - clock.monotonic().value
      guard left > 0 else { return }
      usleep(UInt32(min(left / 1_000 + 1, 100_000)))
    }
  }

  private func sample() { sample { processes.all } }

  /// Reads one app's processes now, so that who asks sees this moment and not the last second. No I/O but the kernel's.
  func sample(app: String) { sample { processes.of(app: app) } }

  private func sample(_ entries: () -> [ProcessTable.Entry]) {
    reading.withLock { _ in
      let now = clock.monotonic()
      let samples = entries().compactMap { entry in
        countBlocked(entry)
        return entry.read().map { $0.sample(of: entry, now: now, isFinal: false) }
      }
      record(samples, at: now)
    }
  }

  private func countBlocked(_ entry: ProcessTable.Entry) {
    for (name, count) in entry.takeBlocked() {
      do throws(MeterError) {
        try book.registry.counter(Meters.blockedSyscalls, app: entry.app, label: name)
          .add(Int64(count))
      } catch {
        logger.error("blocked calls were not metered", metadata: ["error": "\(error)"])
      }
    }
  }

  private func record(_ samples: [ResourceSample], at now: Nanoseconds) {
    guard !samples.isEmpty else { return }
    do throws(MeterError) { try book.record(samples, at: now) } catch {
      logger.error("samples were not taken", metadata: ["error": "\(error)"])
    }
  }

  /// The last word on a process that has ended: what it used since the last sample is not lost.
  func finish(_ entry: ProcessTable.Entry, reading last: ProcessReading?) {
    noteChange(app: entry.app)
    reading.withLock { _ in
      processes.remove(origin: entry.origin)
      countBlocked(entry)
      guard let last else { return book.forget(origin: entry.origin) }
      let now = clock.monotonic()
      record([last.sample(of: entry, now: now, isFinal: true)], at: now)
    }
  }

  private func survey() {
    dueForSurvey.withLock { $0 = [] }
    for app in apps() { survey(app) }
  }

  /// What an app holds has probably changed: it is read within a second.
  func noteChange(app: String) { dueForSurvey.withLock { _ = $0.insert(app) } }

  private func surveyWhatIsDue(running: Bool) {
    var due = dueForSurvey.withLock { due in
      defer { due = [] }
      return due
    }
    if running { due.formUnion(processes.all.map(\.app)) }
    guard !due.isEmpty else { return }
    for app in apps() where due.contains(app.id) { survey(app) }
  }

  /// Reads what an app holds on disk, now. Blocks on its file system.
  func survey(_ app: InstalledApp) {
    for kind in StorageSurvey.kinds {
      let survey = StorageSurvey.measure(StorageSurvey.path(of: kind, in: app.directory))
      if survey.isCut {
        logger.warning("storage was not counted to the end", metadata: ["app": "\(app.id)"])
      }
      onSurvey.withLock { $0 }?(app.id, kind, survey.bytes)
      do throws(MeterError) {
        try book.registry.level(Meters.storage, app: app.id, label: kind).set(survey.bytes)
      } catch {
        logger.error("storage was not metered", metadata: ["error": "\(error)"])
      }
    }
  }

  private func tick() {
    do throws(MeterError) {
      let outcome = try book.tick()
      for event in outcome.events {
        logger.notice("meter: \(event.detail)", metadata: ["app": "\(event.app ?? "-")"])
      }
      afterTick.withLock { $0 }?()
    } catch {
      logger.error(
        "an interval was not written; the next will hold it", metadata: ["error": "\(error)"])
    }
  }

  /// Writes the last interval. Blocks until it is on disk, or `seconds` have passed.
  func stop(within seconds: Int = 5) {
    isStopping.store(true, ordering: .releasing)
    for _ in 0..<(seconds * 100) where !hasStopped.withLock({ $0 }) { usleep(10_000) }
  }
}
