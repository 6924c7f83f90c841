// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import Glibc
import Meter
import NIOPosix
import Supervisor
import Testing

@Suite("An app's log: bounded, whole lines, nothing lost in silence", .timeLimit(.minutes(1)))
struct AppLogTests {
  let tree: ScratchTree
  private let time = Observed<Int64>(1_000_000_000)
  private let queue = DispatchQueue(label: "logs")

  init() throws { tree = try ScratchTree() }

  private func log() -> AppLog {
    let time = time
    let clock = MeterClock(
      wall: { WallTime(microseconds: 1_772_000_000_000_000 + time.now / 1_000) },
      monotonic: { Nanoseconds(time.now) })
    return AppLog(directory: tree.path("log"), queue: queue, clock: clock)
  }

  private func pass(seconds: Int64) { time.update { $0 += seconds * 1_000_000_000 } }

  @Test("lines come back with their time, their source and their text, and survive a restart")
  func roundTrip() async throws {
    let first = log()
    first.append(.stdout, "plain")
    first.append(.stderr, "quotes \" and \\ and \u{1b}[31m and é\u{0}")
    first.note(.crashed, "the app exited with code 3")
    let lines = await first.tail(10)
    #expect(
      lines.map(\.text) == [
        "plain", "quotes \" and \\ and \u{1b}[31m and é\u{0}", "the app exited with code 3",
      ])
    #expect(lines.map(\.source) == [.stdout, .stderr, .host])
    #expect(lines.map(\.event) == [nil, nil, "crashed"])
    #expect(lines[0].time == WallTime(microseconds: 1_772_000_001_000_000))
    #expect(first.lastEvent?.text == "the app exited with code 3")
    #expect(first.eventCounts == ["crashed": 1])
    first.close()
    let second = log()
    second.append(.stdout, "more")
    #expect(await second.tail(2).map(\.text) == ["the app exited with code 3", "more"])
    #expect(await second.tail(0).isEmpty)
    #expect(await second.tail(-1).isEmpty)
  }

  @Test("rotation keeps at most five files of 1 MiB, and the tail runs across them")
  func rotation() async throws {
    let log = log()
    let filler = String(repeating: "x", count: 1_490)
    let count = 6_000
    for number in 0..<count {
      if number % 50 == 0 { pass(seconds: 1) }
      // What waits for the disk is bounded as well: let it catch up.
      if number % 1_000 == 0 { _ = await log.tail(1) }
      log.append(.stdout, "\(number) \(filler)")
    }
    let lines = await log.tail(2_000)
    #expect(lines.count == 2_000)
    #expect(lines.map { Int($0.text.prefix { $0 != " " }) ?? -1 } == Array(count - 2_000..<count))
    let files = tree.listing("log")
    #expect(files == ["app.log", "app.log.1", "app.log.2", "app.log.3", "app.log.4"])
    for file in files {
      var facts = stat()
      #expect(stat(tree.path("log/\(file)"), &facts) == 0)
      #expect(facts.st_size <= LogBounds.fileBytesMax, "\(file)")
      #expect(facts.st_mode & 0o777 == 0o600)
    }
  }

  @Test("a log that was full when the host stopped is rotated by the next one")
  func rotationAfterRestart() async throws {
    let line =
      #"{"time":"2026-03-09T10:00:00Z","stream":"stdout","text":""#
      + String(repeating: "y", count: 900) + "\"}\n"
    try tree.file(
      "log/app.log", String(repeating: line, count: LogBounds.fileBytesMax / line.utf8.count))
    let log = log()
    log.append(.stdout, String(repeating: "z", count: 5_000))
    #expect(await log.tail(1).first?.text.count == 5_000)
    #expect(tree.listing("log") == ["app.log", "app.log.1"])
  }

  @Test("half a line that a crash left neither swallows the next nor counts as one")
  func cutLine() async throws {
    let whole = #"{"time":"2026-03-09T10:00:00Z","stream":"stdout","text":"whole"}"#
    try tree.file("log/app.log", "\(whole)\n{\"time\":\"2026-03-09T10:00:01Z\",\"str")
    let log = log()
    log.append(.stdout, "next")
    #expect(await log.tail(2).map(\.text) == ["whole", "next"])
  }

  @Test("a link in the place of the log is not followed")
  func plantedLink() async throws {
    try tree.file("precious", "precious")
    try tree.link("log/app.log", to: tree.path("precious"))
    let log = log()
    log.append(.stdout, "overwrite")
    #expect(await log.tail(5).isEmpty)
    #expect(tree.text("precious") == "precious")
  }

  @Test("a line over 16 KiB becomes several, cut between characters")
  func longLines() async throws {
    let log = log()
    let text = String(repeating: "aé€😀", count: 12_000)
    log.append(.stdout, text)
    let lines = await log.tail(100)
    #expect(lines.count == (text.utf8.count + LogBounds.lineBytesMax - 1) / LogBounds.lineBytesMax)
    #expect(lines.allSatisfy { $0.text.utf8.count <= LogBounds.lineBytesMax })
    #expect(
      lines.allSatisfy { $0.text.utf8.count > LogBounds.lineBytesMax - 4 || $0 == lines.last })
    #expect(lines.map(\.text).joined() == text)
    log.note(.violation, String(repeating: "n", count: 100_000))
    #expect(await log.tail(1).first?.text.utf8.count == LogBounds.lineBytesMax)
  }

  @Test("what a flood loses is told in its place, and adds up")
  func flood() async throws {
    let log = log()
    let line = String(repeating: "f", count: 936)
    for _ in 0..<3_000 { log.append(.stdout, line) }
    pass(seconds: 2)
    log.append(.stdout, "after")
    let lines = await log.tail(.max)
    let kept = lines.count { $0.text == line }
    let told = try #require(lines.first { $0.event == "log_dropped" })
    #expect(
      told.text.contains("dropped \(3_000 - kept) lines (\((3_000 - kept) * 1_000) bytes)"),
      "\(told.text)")
    #expect(lines.map(\.text).suffix(2) == [told.text, "after"])
    #expect(log.eventCounts["log_dropped"] == 1)
  }

  @Test("a flood before a long silence is told to whoever looks, and when the log is closed")
  func floodBeforeSilence() async throws {
    let line = String(repeating: "f", count: 10_000)
    let log = log()
    for _ in 0..<200 { log.append(.stdout, line) }
    #expect(await log.tail(1).first?.event == "log_dropped")
    for _ in 0..<200 { log.append(.stdout, line) }
    log.close()
    #expect(await self.log().tail(1).first?.event == "log_dropped")
  }

  @Test("many lines in one text are so many lines, and those after the allowance are counted")
  func linesOfText() async throws {
    let log = log()
    log.append(.stderr, linesOf: "one\ntwo\r\n\nfour", prefix: "[info] ")
    #expect(
      await log.tail(9).map(\.text) == ["[info] one", "[info] two\r", "[info] ", "[info] four"])
    log.append(.stderr, linesOf: String(repeating: "\n", count: 200_000), prefix: "")
    let told = try #require(await log.tail(1).first)
    let lines = await log.tail(.max)
    let kept = lines.count { $0.text.isEmpty }
    #expect(told.text.contains("dropped \(200_001 - kept) lines"), "\(told.text)")
  }

  @Test("a follower sees what comes, and nothing of before")
  func follower() async throws {
    let log = log()
    log.append(.stdout, "before")
    var follower = log.follow().makeAsyncIterator()
    log.append(.stdout, "after")
    log.note(.idle, "nothing to do")
    #expect(await follower.next()?.text == "after")
    #expect(await follower.next()?.event == "idle")
  }

  @Test("a follower that is too slow is told where lines are missing, and how many")
  func slowFollower() async throws {
    let log = log()
    var follower = log.follow().makeAsyncIterator()
    let count = LogBounds.followerEntriesMax + 500
    for number in 0..<count { log.note(.idle, "\(number)") }
    for number in 0..<LogBounds.followerEntriesMax - 1 {
      #expect(await follower.next()?.text == "\(number)")
    }
    let told = await follower.next()
    #expect(told?.event == "log_dropped")
    #expect(told?.text.contains("from here on") == true)
    log.note(.idle, "again")
    #expect(await follower.next()?.text.contains("501 lines are missing here") == true)
    #expect(await follower.next()?.text == "again")
  }

  @Test("a follower that has gone is forgotten")
  func goneFollower() async throws {
    let log = log()
    do {
      let follower = log.follow()
      _ = follower
    }
    for number in 0..<10_000 { log.note(.idle, "\(number)") }
    #expect(log.eventCounts["idle"] == 10_000)
  }

  // MARK: pipes

  private func pipe(into log: AppLog, _ source: LogEntry.Source = .stdout) throws -> FileHandle {
    var ends: [Int32] = [-1, -1]
    #expect(Glibc.pipe(&ends) == 0)
    LogPipe.read(ends[0], into: log, as: source, on: MultiThreadedEventLoopGroup.singleton)
    return FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
  }

  @Test("a pipe is cut into lines, however it is written, and its last line needs no end")
  func pipes() async throws {
    let log = log()
    let follower = log.follow()
    let writer = try pipe(into: log, .stderr)
    for piece in ["one\ntw", "o\n", "\n", "c", "af"] {
      try writer.write(contentsOf: Data(piece.utf8))
    }
    try writer.write(contentsOf: Data([0xc3]))
    try writer.write(contentsOf: Data([0xa9, 0x0a, 0xff, 0x0a]))
    try writer.write(contentsOf: Data("no end".utf8))
    try writer.close()
    var found: [LogEntry] = []
    for await entry in follower {
      found.append(entry)
      if entry.text == "no end" { break }
    }
    #expect(found.map(\.text) == ["one", "two", "", "café", "\u{fffd}", "no end"])
    #expect(found.allSatisfy { $0.source == .stderr })
  }

  @Test("a line that never ends is cut between characters as it comes")
  func endlessLine() async throws {
    let log = log()
    let follower = log.follow()
    let writer = try pipe(into: log)
    let text = String(repeating: "€", count: 15_000)
    try writer.write(contentsOf: Data(("a" + text).utf8))
    try writer.close()
    var found = ""
    for await entry in follower {
      #expect(entry.text.utf8.count <= LogBounds.lineBytesMax)
      found += entry.text
      if found.utf8.count >= text.utf8.count + 1 { break }
    }
    #expect(found == "a" + text)
  }

  @Test("a flood through a pipe ends, and every line of it is kept or counted")
  func pipeFlood() async throws {
    let log = log()
    let writer = try pipe(into: log)
    let isWritten = Observed(false)
    let count = 300_000
    Thread.detachNewThread {
      let some = Data(String(repeating: "flood\n", count: 1_000).utf8)
      for _ in 0..<count / 1_000 { try? writer.write(contentsOf: some) }
      try? writer.write(contentsOf: Data("last".utf8))
      try? writer.close()
      isWritten.update { $0 = true }
    }
    await isWritten.until { $0 }
    var sum = 0
    while sum < count + 1 {
      let lines = await log.tail(.max)
      let dropped = lines.filter { $0.event == "log_dropped" }.reduce(0) { sum, entry in
        sum + (Int(entry.text.split(separator: " ")[1]) ?? 0)
      }
      sum = dropped + lines.count { $0.event == nil }
    }
    #expect(sum == count + 1)
  }
}
