// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter
import SQLite
import Testing

@Suite("The book's file")
struct StorageTests {
  private let time = ManualClock("2026-01-01T00:00:30Z")

  private func count(_ directory: TemporaryDirectory, _ table: String) throws -> Int64 {
    let connection = try SQLiteConnection(path: directory.path + "/meter.sqlite")
    return try connection.run("SELECT count(*) FROM \(table)").first?.first?.int ?? -1
  }

  private func total(_ book: MeterBook, _ by: [ReportQuery.Dimension]) throws -> Int64 {
    let report = try book.report(
      ReportQuery(
        kind: .usage, by: by, since: WallTime(rfc3339: "2025-12-01")!,
        until: WallTime(rfc3339: "2026-12-01")!))
    return report.rows.filter { $0.item == "requests" }.reduce(0) { $0 + $1.quantity }
  }

  @Test("minutes are kept a day, hours thirty days, days for years, and no total is lost")
  func retention() throws {
    let directory = try TemporaryDirectory()
    var configuration = MeterBook.Configuration()
    configuration.postingInterval = .seconds(1)
    let book = try MeterBook(
      directory: directory.path, configuration: configuration, clock: time.clock)
    let counter = try book.registry.counter(Meters.requests, app: "a", label: "2xx")
    var sum: Int64 = 0
    for step in Int64(1)...(60 * 6) {
      counter.add(step)
      sum += step
      time.advance(seconds: 4 * 3_600)
      try book.tick()
      if step % 60 == 0 {
        #expect(try total(book, [.app]) == sum, "after \(step) steps")
        #expect(try total(book, [.day]) == sum)
        #expect(try book.usage(app: "a").total(Meters.requests) == sum)
      }
    }
    #expect(try count(directory, "line") <= 2)
    // A day and the day begun of minutes, six rows a day; thirty-one days of hours; all days.
    #expect(try count(directory, "rollup_minute") <= 12)
    #expect((180...186).contains(try count(directory, "rollup_hour")))
    #expect((59...60).contains(try count(directory, "rollup_day")))
  }

  @Test("lines stamped in the past, after the clock went back, join what was rolled up")
  func clockWentBack() throws {
    let directory = try TemporaryDirectory()
    var configuration = MeterBook.Configuration()
    configuration.postingInterval = .seconds(1)
    let book = try MeterBook(
      directory: directory.path, configuration: configuration, clock: time.clock)
    let counter = try book.registry.counter(Meters.requests, app: "a", label: "2xx")
    for _ in 0..<50 {
      counter.add(10)
      time.advance(seconds: 3_600)
      try book.tick()
    }
    time.jump(seconds: -36 * 3_600)
    for _ in 0..<50 {
      counter.add(10)
      time.advance(seconds: 3_600)
      try book.tick()
    }
    for by in [[.app], [.day], [.hour]] as [[ReportQuery.Dimension]] {
      #expect(try total(book, by) == 1_000)
    }
    #expect(try book.usage(app: "a").total(Meters.requests) == 1_000)
  }

  @Test("a report by hour of a time whose hours are gone gives days, and says so")
  func goneHours() throws {
    let directory = try TemporaryDirectory()
    var configuration = MeterBook.Configuration()
    configuration.postingInterval = .seconds(1)
    let book = try MeterBook(
      directory: directory.path, configuration: configuration, clock: time.clock)
    let counter = try book.registry.counter(Meters.requests, app: "a", label: "2xx")
    for _ in 0..<(40 * 4) {
      counter.add(1)
      time.advance(seconds: 6 * 3_600)
      try book.tick()
    }
    let report = try book.report(
      ReportQuery(
        kind: .usage, by: [.hour], since: WallTime(rfc3339: "2026-01-02T05:00:00Z")!,
        until: WallTime(rfc3339: "2026-02-10")!))
    #expect(report.since.rfc3339 == "2026-01-02T00:00:00Z")
    #expect(report.notes.contains { $0.contains("only whole buckets are kept") })
    #expect(report.notes.contains { $0.contains("hours are not kept that long") })
    let first = try #require(report.rows.first)
    #expect(first.end.seconds - first.start.seconds == 86_400)
    let last = try #require(report.rows.last)
    #expect(last.end.seconds - last.start.seconds == 3_600)
  }

  @Test("a query is answered from the coarsest rollups that answer it exactly")
  func plan() {
    let at = { (text: String) in WallTime(rfc3339: text)! }
    var marks = RollupMarks()
    marks.until = [
      .minute: at("2026-03-09T10:05:00Z"), .hour: at("2026-03-09T10:00:00Z"),
      .day: at("2026-03-09"),
    ]
    marks.from = [.minute: at("2026-03-08T10:00:00Z"), .hour: at("2026-02-07")]
    let whole = QueryPlan(
      since: at("2026-01-01"), until: at("2026-03-09T10:04:30Z"), rows: nil, marks: marks)
    #expect(whole.segments.map(\.bucket) == [.day, .hour, .minute])
    #expect(whole.segments.map(\.start.rfc3339)[2] == "2026-03-09T10:00:00Z")
    #expect(whole.until.rfc3339 == "2026-03-09T10:05:00Z")
    let edge = QueryPlan(
      since: at("2026-03-08T11:30:00Z"), until: at("2026-03-09"), rows: nil, marks: marks)
    #expect(edge.segments.map(\.bucket) == [.minute, .hour])
    let hours = QueryPlan(
      since: at("2026-02-05"), until: at("2026-02-09"), rows: .hour, marks: marks)
    #expect(hours.segments.map(\.bucket) == [.day, .hour])
    #expect(hours.segments[0].end == at("2026-02-07"))
    #expect(
      QueryPlan(since: at("2026-03-10"), until: at("2026-03-11"), rows: nil, marks: marks)
        .segments.isEmpty)
  }

  @Test("segments of any plan cover their time once, without overlap", arguments: 1...20)
  func planCovers(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let now = Int64.random(in: 1_700_000_000...1_800_000_000, using: &random)
    var marks = RollupMarks()
    for bucket in Bucket.allCases {
      marks.until[bucket] = WallTime(seconds: now).floored(toSeconds: bucket.seconds)
    }
    marks.from[.hour] = WallTime(seconds: now - 30 * 86_400).floored(toSeconds: 86_400)
    marks.from[.minute] = WallTime(seconds: now - 86_400).floored(toSeconds: 3_600)
    for _ in 0..<200 {
      let since = WallTime(seconds: now - Int64.random(in: 0...8_000_000, using: &random))
      let until = WallTime(seconds: since.seconds + Int64.random(in: 1...8_000_000, using: &random))
      let plan = QueryPlan(
        since: since, until: until, rows: Bool.random(using: &random) ? .hour : nil, marks: marks)
      #expect(plan.since <= since && plan.until >= until)
      let end = min(plan.until, marks.until(.minute))
      guard plan.since < end else {
        #expect(plan.segments.isEmpty)
        continue
      }
      #expect(plan.segments.first?.start == plan.since)
      #expect(plan.segments.last?.end == end)
      #expect(zip(plan.segments, plan.segments.dropFirst()).allSatisfy { $0.end == $1.start })
    }
  }

  @Test("files of a newer version, of another program, or damaged, are refused by name")
  func refused() throws {
    for (change, wanted) in [
      (
        "PRAGMA user_version = 9",
        MeterError.newerFile(file: "meter.sqlite", version: 9, supported: 1)
      ),
      ("PRAGMA application_id = 77", .foreignFile(file: "meter.sqlite")),
    ] {
      let directory = try TemporaryDirectory()
      try MeterBook(directory: directory.path, clock: time.clock).close()
      try SQLiteConnection(path: directory.path + "/meter.sqlite").run(change)
      #expect(throws: wanted) { try MeterBook(directory: directory.path, clock: time.clock) }
    }
    let directory = try TemporaryDirectory()
    let path = directory.path + "/meter.sqlite"
    try Data(repeating: 0x41, count: 8_192).write(to: URL(filePath: path))
    do {
      _ = try MeterBook(directory: directory.path, clock: time.clock)
      Issue.record("opened")
    } catch {
      #expect(error.description.contains("damaged"))
    }
    #expect(throws: MeterError.self) {
      try MeterBook(directory: directory.path + "/nowhere", clock: time.clock)
    }
  }

  @Test(
    "a full disk is a named error and costs no measurement",
    .enabled(if: SmallDisk.isPossible, "needs the right to mount a small file system"))
  func fullDisk() throws {
    let disk = try SmallDisk(kibibytes: 2_048)
    let book = try MeterBook(directory: disk.path, clock: time.clock)
    let counter = try book.registry.counter(Meters.requests, app: "a", label: "2xx")
    counter.add(1)
    time.advance(seconds: 5)
    try book.tick()
    try disk.fill()
    var failures = 0
    for step in 0..<60 {
      counter.add(1)
      for label in 0..<20 {
        try book.registry.counter(Meters.egressSent, app: "a\(step)", label: "h\(label)").add(1)
      }
      time.advance(seconds: 5)
      do {
        try book.tick()
      } catch {
        failures += 1
        guard case .diskFull = error else {
          Issue.record("\(error)")
          return
        }
      }
    }
    #expect(failures > 0)
    #expect(try book.usage(app: "a").total(Meters.requests) == 61)
    try disk.empty()
    time.advance(seconds: 5)
    let outcome = try book.tick()
    #expect(outcome.events.contains { $0.kind == .tickFailed })
    #expect(try book.usage(app: "a").total(Meters.requests) == 61)
    #expect(try book.usage(app: "a59").total(Meters.egressSent) == 20)
    try book.close()
  }
}

/// A tmpfs of a known size.
private final class SmallDisk {
  let path: String
  private let directory: TemporaryDirectory

  static let isPossible: Bool = {
    guard let disk = try? SmallDisk(kibibytes: 64) else { return false }
    return disk.path.isEmpty == false
  }()

  struct NotMounted: Error {}

  init(kibibytes: Int) throws {
    directory = try TemporaryDirectory()
    path = directory.path
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(kibibytes)k") == 0 else { throw NotMounted() }
  }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  private var filler: String { path + "/filler" }

  func fill() throws {
    let file = try #require(fopen(filler, "w"))
    let block = [UInt8](repeating: 1, count: 4_096)
    while fwrite(block, 1, block.count, file) == block.count, fflush(file) == 0 {}
    fclose(file)
  }

  func empty() throws { try FileManager.default.removeItem(atPath: filler) }
}
