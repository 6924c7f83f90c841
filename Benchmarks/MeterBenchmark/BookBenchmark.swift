// SPDX-License-Identifier: Apache-2.0
import Foundation
import Meter
import SQLite

/// What measuring itself costs, and how long a report takes.
struct BookBenchmark {
  func run() throws {
    row("meter", "measured", "", "target")
    try counters()
    try sampling(guests: 200)
    try idle(apps: 1_000)
    try year(apps: 100)
  }

  private func counters() throws {
    try withDirectory { directory in
      let book = try MeterBook(directory: directory)
      let counter = try book.registry.counter(Meters.requests, app: "a", label: "2xx")
      let count = 20_000_000
      let time = seconds { for _ in 0..<count { counter.add(1) } }
      row("adding to a counter, ns", fixed(time / Double(count) * 1e9, 1), "", "<= 50")
      let looked = 500_000
      let slow = try seconds {
        for _ in 0..<looked {
          try book.registry.counter(Meters.egressSent, app: "a", label: "api.example.com:443").add(
            1)
        }
      }
      row("looking it up each time, ns", fixed(slow / Double(looked) * 1e9, 0))
    }
  }

  /// A minute of a host with busy guests: a sample each second, a tick each five, simulated as fast
  /// as it goes. CPU of this process over sixty seconds.
  private func sampling(guests: Int) throws {
    try withDirectory { directory in
      let book = try MeterBook(directory: directory)
      var samples: [ResourceSample] = []
      let record = try cpuSeconds {
        for second in 1...60 {
          samples = (0..<guests).map { guest in
            ResourceSample(
              app: "org.example.app\(guest)", origin: "g\(guest)", source: .cgroup2,
              cpuUserMicroseconds: 123_456_789 + Int64(second) * 1_000,
              cpuSystemMicroseconds: 23_456_789 + Int64(second) * 500,
              memoryCurrentBytes: 104_857_600, memoryPeakBytes: 157_286_400, processes: 4)
          }
          try book.record(samples)
        }
      }
      row(
        "taking \(guests) samples a second, % of a core", fixed(record / 60 * 100, 3), "",
        "reading: Benchmarks/meter-sampling")
      var ticks: [Double] = []
      for second in 1...12 {
        try book.record(
          samples.map { sample in
            var next = sample
            next.cpuUserMicroseconds += Int64(second) * 50_000
            return next
          })
        ticks.append(try cpuSeconds { try book.tick() })
      }
      row(
        "tick with \(guests) busy guests, ms of CPU", fixed(median(ticks) * 1_000, 1), "",
        "every 5 s")
    }
  }

  private func idle(apps: Int) throws {
    try withDirectory { directory in
      let book = try MeterBook(directory: directory)
      for app in 0..<apps {
        for kind in ["sqlite", "objects", "data", "log", "code"] {
          try book.registry.level(Meters.storage, app: "app\(app)", label: kind).set(1 << 20)
        }
        for label in ["2xx", "3xx", "4xx", "5xx"] {
          _ = try book.registry.counter(Meters.requests, app: "app\(app)", label: label)
        }
      }
      try book.tick()
      let ticks = try (0..<20).map { _ in try cpuSeconds { try book.tick() } }
      row(
        "tick with \(apps) idle apps, ms of CPU", fixed(median(ticks) * 1_000, 2),
        "\(fixed(median(ticks) / 5 * 100, 3)) % of a core", "no measurable cost")
    }
  }

  /// One year of hourly rollups, six meters an app, written as the book writes them.
  private func year(apps: Int) throws {
    try withDirectory { directory in
      let end = WallTime(rfc3339: "2027-01-01")!
      let clock = MeterClock(wall: { end }, monotonic: { Nanoseconds(0) })
      var configuration = MeterBook.Configuration()
      configuration.retention = Retention(hours: 400 * 86_400)
      do {
        let book = try MeterBook(
          directory: directory, configuration: configuration, clock: clock)
        try book.close()
      }
      let rows = try fill(directory, apps: apps)
      let book = try MeterBook(directory: directory, configuration: configuration, clock: clock)
      for by in [[.app], [.app, .day], [.meter], [.app, .destination]] as [[ReportQuery.Dimension]]
      {
        let query = ReportQuery(
          kind: .usage, by: by, since: WallTime(rfc3339: "2026-01-01")!, until: end)
        var cpu: [Double] = []
        let times = try (0..<5).map { _ in
          try seconds { cpu.append(try cpuSeconds { _ = try book.report(query).json() }) }
        }
        row(
          "year, \(apps) apps, by \(by.map(\.rawValue).joined(separator: "+")), s",
          fixed(median(times), 3), "\(fixed(median(cpu), 3)) of CPU", "<= 1 (\(rows) hours)")
      }
      let one = ReportQuery(
        kind: .usage, apps: ["app7"], by: [.hour], since: WallTime(rfc3339: "2026-01-01")!,
        until: end)
      var cpu: [Double] = []
      let times = try (0..<3).map { _ in
        try seconds { cpu.append(try cpuSeconds { _ = try book.report(one).json() }) }
      }
      row(
        "year of one app by hour, s", fixed(median(times), 3), "\(fixed(median(cpu), 3)) of CPU",
        "<= 1")
    }
  }

  private func fill(_ directory: String, apps: Int) throws -> Int {
    let connection = try SQLiteConnection(path: directory + "/meter.sqlite")
    // Only the filling is in a hurry; what is measured reads.
    try connection.run("PRAGMA synchronous=OFF")
    let meters = [
      Meters.cpuUser, Meters.cpuSystem, Meters.memoryTime, Meters.storageTime, Meters.ingressSent,
      Meters.requests,
    ]
    let start = WallTime(rfc3339: "2026-01-01")!.microseconds
    var series: [Int64] = []
    try connection.transaction { () throws(SQLiteError) in
      for app in 0..<apps {
        for meter in meters {
          try connection.run(
            "INSERT INTO series (app, meter, label, source, peak) VALUES (?, ?, '', 'host', 0)",
            .text("app\(app)"), .text(meter.name))
          series.append(connection.lastInsertRowID)
        }
      }
    }
    for id in series {
      try connection.run(
        """
        WITH RECURSIVE hours(hour) AS (SELECT 0 UNION ALL SELECT hour + 1 FROM hours LIMIT 8760)
        INSERT INTO rollup_hour (start, series, quantity)
        SELECT ? + hour * 3600000000, ?, 1000 + hour FROM hours
        """, .integer(start), .integer(id))
    }
    try connection.script(
      """
      INSERT INTO rollup_day (start, series, quantity) SELECT start / 86400000000 * 86400000000, series, sum(quantity)
        FROM rollup_hour GROUP BY 1, 2;
      INSERT OR REPLACE INTO state SELECT name, \(start + 8_760 * 3_600_000_000) FROM
        (SELECT 'minute_until' AS name UNION SELECT 'hour_until' UNION SELECT 'day_until');
      """)
    return 8_760 * series.count
  }
}
