// SPDX-License-Identifier: Apache-2.0
import Meter

/// A book with three apps, prices, a change of prices, a crash and a stop, over nine days in known
/// amounts.
struct DemoBook: Sendable {
  static let start = "2026-02-26T00:00:00Z"
  let directory: TemporaryDirectory
  let time = ManualClock(DemoBook.start)
  private(set) var book: MeterBook
  private let apps = ["org.example.journal", "org.example.wiki", "net.example.tiny"]

  static let prices = PriceBookSource(
    currency: "EUR",
    version: [
      .init(
        number: 1, from: "2026-02-01",
        price: [
          .init(
            sku: "cpu", title: "CPU", meters: ["cpu.user", "cpu.system", "cpu.host"],
            unit: "core-hour", price: "0.021"),
          .init(
            sku: "memory", title: "Memory", meters: ["memory.time"], unit: "gib-hour",
            price: "0.003"),
          .init(
            sku: "storage", title: "Storage", meters: ["storage.time"], unit: "gib-month",
            price: "0.08"),
          .init(
            sku: "traffic", title: "Traffic out",
            meters: ["ingress.sent", "websocket.sent", "egress.sent"], unit: "gib", price: "0.09",
            free: "1", tier: [.init(above: "10", price: "0.05")]),
        ]),
      .init(
        number: 2, from: "2026-03-03",
        price: [
          .init(
            sku: "cpu", title: "CPU", meters: ["cpu.user", "cpu.system", "cpu.host"],
            unit: "core-hour", price: "0.025"),
          .init(
            sku: "memory", title: "Memory", meters: ["memory.time"], unit: "gib-hour",
            price: "0.003"),
          .init(
            sku: "storage", title: "Storage", meters: ["storage.time"], unit: "gib-month",
            price: "0.08"),
        ]),
    ])

  init(hours: Int = 9 * 24) throws {
    directory = try TemporaryDirectory()
    book = try MeterBook(directory: directory.path, clock: time.clock)
    try book.setPrices(Self.prices)
    var random = SeededRandom(seed: 11)
    var cpu: [Int64] = [0, 0, 0]
    for hour in 0..<hours {
      if hour == 60 {  // a crash, four hours long
        time.advance(seconds: 4 * 3_600)
        book = try MeterBook(directory: directory.path, clock: time.clock)
      }
      for (index, app) in apps.enumerated() {
        try use(app, index, hour, &cpu, &random)
      }
      time.advance(seconds: 3_600)
      for (index, app) in apps.enumerated() {
        try book.record([sample(app, index, hour, cpu[index])])
      }
      try book.tick()
    }
  }

  private func sample(_ app: String, _ index: Int, _ hour: Int, _ cpu: Int64) -> ResourceSample {
    ResourceSample(
      app: app, origin: "\(app) \(hour < 60 ? 1 : 2)", source: index == 2 ? .processTree : .cgroup2,
      cpuUserMicroseconds: cpu * 4 / 5, cpuSystemMicroseconds: cpu / 5,
      memoryCurrentBytes: Int64(index + 1) * 48 << 20, memoryPeakBytes: Int64(index + 1) * 80 << 20)
  }

  private func use(
    _ app: String, _ index: Int, _ hour: Int, _ cpu: inout [Int64], _ random: inout SeededRandom
  ) throws {
    if hour == 60 { cpu[index] = 0 }
    let isDay = (7...19).contains(hour % 24)
    let busy: Int64 = isDay ? Int64.random(in: 20...100, using: &random) : 5
    cpu[index] += busy * 3_000_000 / Int64(index * index * 2 + 1)
    let registry = book.registry
    try registry.counter(Meters.requests, app: app, label: "2xx").add(busy * 40)
    try registry.counter(Meters.requests, app: app, label: "5xx").add(busy / 20)
    try registry.counter(Meters.ingressReceived, app: app).add(busy * 20_000)
    try registry.counter(Meters.ingressSent, app: app).add(busy * 900_000)
    if index < 2 {
      try registry.counter(Meters.egressSent, app: app, label: "api.example.com:443").add(
        busy * 7_000)
      try registry.counter(Meters.egressSent, app: app, label: "<b>x</b>.example.net:443")
        .add(busy * 100)
    }
    try registry.level(Meters.storage, app: app, label: "sqlite").set(
      Int64(index + 1) * 200 << 20 + Int64(hour) << 20)
  }

  func query(
    _ kind: ReportQuery.Kind, by: [ReportQuery.Dimension] = [.app], apps: [String] = []
  ) -> ReportQuery {
    ReportQuery(
      kind: kind, apps: apps, by: by, since: WallTime(rfc3339: Self.start)!, until: time.wall)
  }
}
