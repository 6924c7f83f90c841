// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter
import Testing

private let promtool = ["/usr/bin/promtool", "/usr/local/bin/promtool"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

@Suite("Prometheus metrics")
struct MetricsTests {
  private func text() throws -> String {
    let demo = try DemoBook(hours: 10)
    try demo.book.registry.register([
      MeterDefinition(
        name: "fax.pages", unit: .count, kind: .counter, title: "Pages sent", label: "outcome")
    ])
    let fax = try #require(demo.book.registry.definition("fax.pages"))
    try demo.book.registry.counter(fax, app: "net.example.tiny", label: "a\"b\\c\nd").add(3)
    try demo.book.setLimit(
      AppLimit(
        app: "org.example.wiki", subject: "cpu", period: .day, amount: 1_000_000_000, action: .stop)
    )
    try demo.book.tick()
    let durations = LatencyHistogram()
    for microseconds in [400, 1_000, 1_001, 80_000, 60_000_000] as [Int64] {
      durations.observe(microseconds: microseconds)
    }
    let calls = CallStatistics()
    calls.observe(method: "sql.query", isFailure: false, microseconds: 700)
    calls.observe(method: "sql.query", isFailure: true, microseconds: 30_000_000)
    for (meter, label) in [
      (Meters.restarts, "crashed"), (Meters.restarts, "oom"), (Meters.blockedSyscalls, "socket"),
      (Meters.oomKills, ""),
    ] {
      try demo.book.registry.counter(meter, app: "org.example.wiki", label: label).add(2)
    }
    try demo.book.tick()
    let facts = [
      MetricsSnapshot.AppFacts(
        app: "org.example.wiki", isUp: true, version: "1.4.0", publisher: "Ana",
        memoryLimitBytes: 256 << 20, storageLimitBytes: 1 << 30),
      MetricsSnapshot.AppFacts(app: "net.example.tiny", isUp: false, version: "0.1"),
    ]
    return demo.book.metrics(
      facts: facts, hostVersion: "0.1.0",
      durations: ["org.example.wiki": durations, "net.example.tiny": LatencyHistogram()],
      calls: ["org.example.wiki": calls, "net.example.tiny": CallStatistics()]
    ).text()
  }

  @Test("the exposition is what it was, other brokers' meters included")
  func golden() throws {
    let text = try text()
    try expectGolden(text, "metrics.txt")
    #expect(
      text.contains(
        "bulkhead_app_fax_pages_total{app=\"net.example.tiny\",outcome=\"a\\\"b\\\\c\\nd\"} 3"))
    #expect(text.contains("le=\"+Inf\"} 5"))
    #expect(!text.contains("api.example.com"))
    #expect(!text.contains("duration_seconds_count{app=\"net.example.tiny\"}"))
  }

  @Test(
    "promtool finds nothing to say about it",
    .enabled(if: promtool != nil, "promtool is not installed (apt-get install prometheus)"))
  func lint() throws {
    let process = Process()
    process.executableURL = URL(filePath: try #require(promtool))
    process.arguments = ["check", "metrics"]
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardError = output
    process.standardOutput = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(try text().utf8))
    try input.fileHandleForWriting.close()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(said)")
    #expect(said.isEmpty, "\(said)")
  }

  @Test(
    "the alert rules are valid",
    .enabled(if: promtool != nil, "promtool is not installed (apt-get install prometheus)"))
  func rules() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let process = Process()
    process.executableURL = URL(filePath: try #require(promtool))
    process.arguments = ["check", "rules", root.appending(path: "ops/alerts.yml").path]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test("dashboard and alerts ask only for metrics that exist")
  func names() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let known = try text()
    for file in ["ops/alerts.yml", "ops/grafana-dashboard.json"] {
      let asked = try String(contentsOf: root.appending(path: file), encoding: .utf8)
      let names = Set(asked.matches(of: /bulkhead_[a-z_]+/).map { String($0.output) })
      #expect(!names.isEmpty)
      for name in names {
        let base = name.replacing(/_(bucket|sum|count)$/, with: "")
        #expect(known.contains("# TYPE \(base) "), "\(file): \(name)")
      }
    }
    let json = try Data(contentsOf: root.appending(path: "ops/grafana-dashboard.json"))
    #expect(try JSONSerialization.jsonObject(with: json) is [String: Any])
  }

  @Test("an app that calls what it likes fills one line")
  func manyMethods() throws {
    let directory = try TemporaryDirectory()
    let book = try MeterBook(directory: directory.path, clock: ManualClock().clock)
    let calls = CallStatistics()
    for number in 0..<500 {
      calls.observe(method: "sql.m\(number)", isFailure: true, microseconds: 1)
    }
    let text = book.metrics(facts: [], hostVersion: "1", calls: ["a": calls]).text()
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("bulkhead_app_calls_total{") }
    #expect(lines.count == CallStatistics.methodsMax + 1)
    #expect(lines.contains { $0.contains("(other)") && $0.hasSuffix(" 436") })
  }
}
