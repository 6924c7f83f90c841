// SPDX-License-Identifier: Apache-2.0
import Meter
import Testing

@Suite("The book")
struct BookTests {
  private let time = ManualClock()

  private func sample(
    _ app: String = "a", origin: String = "g1", cpu: Int64, system: Int64 = 0,
    memory: Int64? = nil, peak: Int64? = nil, final: Bool = false, source: SampleSource = .cgroup2
  ) -> ResourceSample {
    ResourceSample(
      app: app, origin: origin, source: source, cpuUserMicroseconds: cpu,
      cpuSystemMicroseconds: system, memoryCurrentBytes: memory, memoryPeakBytes: peak,
      isFinal: final)
  }

  private func open(_ directory: TemporaryDirectory) throws -> MeterBook {
    try MeterBook(directory: directory.path, clock: time.clock)
  }

  @Test("CPU of a guest is what its kernel counter rose by, over many samples and ticks")
  func cpu() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    for step in 1...100 {
      time.advance(seconds: 1)
      try book.record([sample(cpu: Int64(step) * 10_000, system: Int64(step) * 500)])
      if step % 5 == 0 { try book.tick() }
    }
    let usage = try book.usage(app: "a")
    #expect(usage.total(Meters.cpuUser) == 1_000_000)
    #expect(usage.total(Meters.cpuSystem) == 50_000)
    #expect(usage.cpuMicroseconds == 1_050_000)
    #expect(usage.sources == [.cgroup2])
  }

  @Test("a guest's own figure includes what no tick has written yet, once")
  func waiting() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    let counter = try book.registry.counter(Meters.requests, app: "a", label: "2xx")
    counter.add(3)
    try book.tick()
    counter.add(4)
    #expect(try book.usage(app: "a").total(Meters.requests) == 7)
    try book.tick()
    #expect(try book.usage(app: "a").total(Meters.requests) == 7)
  }

  @Test("a restart of the host counts nothing twice and loses nothing that was ticked")
  func restart() throws {
    let directory = try TemporaryDirectory()
    do {
      let book = try open(directory)
      try book.record([sample(cpu: 5_000)])
      try book.tick()
      // Not ticked: lost if the host dies now.
      try book.record([sample(cpu: 6_000)])
    }
    time.advance(seconds: 30)
    let book = try open(directory)
    // The same cgroup survived; its counter went on.
    try book.record([sample(cpu: 9_000, final: true)])
    try book.tick()
    #expect(try book.usage(app: "a").total(Meters.cpuUser) == 9_000)
    let gaps = try book.gaps(
      since: WallTime(seconds: 0), until: WallTime(rfc3339: "2030-01-01")!)
    #expect(gaps.map(\.reason) == [.crash])
    #expect(gaps.first.map { $0.end.seconds - $0.start.seconds } == 30)
    let events = try book.events(since: WallTime(seconds: 0), until: .init(rfc3339: "2030-01-01")!)
    #expect(events.map(\.kind) == [.gap])
  }

  @Test("a host that was stopped in order reports a stop, not a crash")
  func cleanStop() throws {
    let directory = try TemporaryDirectory()
    try open(directory).close()
    time.advance(seconds: 10)
    let book = try open(directory)
    let gaps = try book.gaps(since: WallTime(seconds: 0), until: WallTime(rfc3339: "2030-01-01")!)
    #expect(gaps.map(\.reason) == [.stopped])
  }

  @Test("a new cgroup's counter starts at zero and all of it counts")
  func newOrigin() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    try book.record([sample(origin: "g1", cpu: 700, final: true)])
    try book.record([sample(origin: "g2", cpu: 300)])
    try book.tick()
    #expect(try book.usage(app: "a").total(Meters.cpuUser) == 1_000)
  }

  @Test("a cgroup counter that goes back is a named event and never a negative figure")
  func wentBack() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    try book.record([sample(cpu: 900)])
    try book.record([sample(cpu: 50)])
    let outcome = try book.tick()
    #expect(outcome.events.map(\.kind) == [.counterWentBack])
    #expect(try book.usage(app: "a").total(Meters.cpuUser) == 950)
  }

  @Test("a process tree that lost a process counts only what grew since")
  func treeShrank() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    for cpu in [900, 400, 450] as [Int64] {
      try book.record([sample(cpu: cpu, source: .processTree)])
    }
    try book.tick()
    #expect(try book.usage(app: "a").total(Meters.cpuUser) == 950)
    #expect(try book.usage(app: "a").sources == [.processTree])
  }

  @Test("1,000 guests that live 50 ms each are all accounted")
  func shortLived() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    for guest in 0..<1_000 {
      time.advance(milliseconds: 50)
      var last = sample(origin: "g\(guest)", cpu: 40_000, system: 2_000, peak: 8 << 20, final: true)
      last.age = Nanoseconds(50_000_000)
      last.memoryCurrentBytes = 0
      try book.record([last])
      if guest % 100 == 99 { try book.tick() }
    }
    let usage = try book.usage(app: "a")
    #expect(usage.cpuMicroseconds == 42_000_000)
    // Half of 8 MiB for 50 s: the mean of nothing and the peak.
    #expect(usage.total(Meters.memoryTime) == 4 * 1_024 * 50)
    #expect(usage.total(Meters.memoryPeak) == 8 << 20)
  }

  @Test("memory over time is the mean of two readings times the monotonic time between them")
  func memory() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    try book.record([sample(cpu: 0, memory: 1 << 20, peak: 3 << 20)])
    for _ in 0..<3_600 {
      time.advance(seconds: 1)
      try book.record([sample(cpu: 0, memory: 1 << 20, peak: 3 << 20)])
    }
    try book.tick()
    let usage = try book.usage(app: "a")
    #expect(usage.total(Meters.memoryTime) == 1_024 * 3_600)
    #expect(usage.total(Meters.memoryPeak) == 3 << 20)
  }

  @Test("fractions of a KiB·s are carried, not lost")
  func fractions() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    try book.record([sample(cpu: 0, memory: 1_000)])
    for _ in 0..<1_024 {
      time.advance(seconds: 1)
      try book.record([sample(cpu: 0, memory: 1_000)])
      try book.tick()
    }
    #expect(try book.usage(app: "a").total(Meters.memoryTime) == 1_000)
  }

  @Test(
    "a wall clock that jumps is a named event and changes no quantity", arguments: [-7_200, 7_200])
  func clockJump(seconds: Int64) throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    try book.record([sample(cpu: 0, memory: 1 << 20)])
    time.advance(seconds: 5)
    try book.record([sample(cpu: 10, memory: 1 << 20)])
    try book.tick()
    time.jump(seconds: seconds)
    time.advance(seconds: 5)
    try book.record([sample(cpu: 30, memory: 1 << 20)])
    let outcome = try book.tick()
    #expect(outcome.events.map(\.kind) == [.clockJumped])
    #expect(outcome.end.seconds - outcome.start.seconds == 5)
    // The next interval runs on the new time.
    time.advance(seconds: 5)
    let next = try book.tick()
    #expect(next.events.isEmpty)
    #expect(next.end == time.wall)
    time.advance(seconds: 7_200)
    let usage = try book.usage(app: "a")
    #expect(usage.total(Meters.cpuUser) == 30)
    #expect(usage.total(Meters.memoryTime) == 10 * 1_024)
  }

  @Test("storage is held until it changes: bytes times time, across restarts, not across downtime")
  func storage() throws {
    let directory = try TemporaryDirectory()
    do {
      let book = try open(directory)
      try book.registry.level(Meters.storage, app: "a", label: "sqlite").set(10 << 20)
      try book.tick()
      for _ in 0..<10 {
        time.advance(seconds: 5)
        try book.tick()
      }
      #expect(try book.usage(app: "a").total(Meters.storageTime) == 500)
    }
    time.advance(seconds: 1_000)  // down: nobody measured
    let book = try open(directory)
    time.advance(seconds: 10)
    let level = try book.registry.level(Meters.storage, app: "a", label: "sqlite")
    level.set(1 << 20)
    try book.tick()
    #expect(try book.usage(app: "a").total(Meters.storageTime) == 600)
    #expect(
      try book.usage(app: "a").held == [.init(meter: "storage", label: "sqlite", bytes: 1 << 20)])
    time.advance(seconds: 100)
    try book.tick()
    book.remove(app: "a")
    try book.tick()
    time.advance(seconds: 100)
    try book.tick()
    let usage = try book.usage(app: "a")
    #expect(usage.total(Meters.storageTime) == 700)
    #expect(usage.held.isEmpty)
  }

  @Test("an app with endless destinations fills one line, and says so")
  func destinations() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    for number in 0..<(MeterRegistry.labelsMax + 50) {
      try book.registry.counter(Meters.egressSent, app: "a", label: "h\(number):443").add(1)
    }
    let outcome = try book.tick()
    #expect(outcome.events.map(\.kind) == [.labelsOverflowed])
    let usage = try book.usage(app: "a")
    #expect(usage.quantities.count == MeterRegistry.labelsMax + 1)
    #expect(usage.total(Meters.egressSent) == Int64(MeterRegistry.labelsMax) + 50)
    #expect(usage.quantities.first { $0.label == MeterRegistry.overflowLabel }?.quantity == 50)
  }

  @Test("a meter of a later broker needs a definition and nothing else")
  func laterBroker() throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    let faxes = MeterDefinition(
      name: "fax.pages", unit: .count, kind: .counter, title: "Pages sent", label: "destination")
    #expect(throws: MeterError.unknownMeter("fax.pages")) {
      try book.registry.counter(faxes, app: "a")
    }
    try book.registry.register([faxes])
    try book.registry.register([faxes])
    try book.registry.counter(faxes, app: "a", label: "+34").add(2)
    try book.tick()
    #expect(try book.usage(app: "a").total(faxes) == 2)
    var other = faxes
    other.unit = .bytes
    #expect(throws: MeterError.self) { try book.registry.register([other]) }
    #expect(throws: MeterError.self) { try book.registry.level(faxes, app: "a") }
  }

  @Test("counters added to from many threads lose nothing while ticks drain them")
  func concurrent() async throws {
    let directory = try TemporaryDirectory()
    let book = try open(directory)
    let counter = try book.registry.counter(Meters.requests, app: "a", label: "2xx")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { for _ in 0..<50_000 { counter.add(1) } } }
      for _ in 0..<20 { try book.tick() }
      try await group.waitForAll()
    }
    try book.tick()
    #expect(try book.usage(app: "a").total(Meters.requests) == 200_000)
  }
}
