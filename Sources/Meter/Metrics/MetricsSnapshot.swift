// SPDX-License-Identifier: Apache-2.0

/// What the metrics endpoint shows, gathered; turning it into text is pure.
public struct MetricsSnapshot: Sendable {
  /// What only the host knows about an app.
  public struct AppFacts: Sendable, Equatable {
    public var app: String
    public var isUp: Bool
    public var version: String
    public var publisher: String
    public var memoryLimitBytes: Int64?
    public var storageLimitBytes: Int64?

    public init(
      app: String, isUp: Bool, version: String, publisher: String = "",
      memoryLimitBytes: Int64? = nil, storageLimitBytes: Int64? = nil
    ) {
      self.app = app
      self.isUp = isUp
      self.version = version
      self.publisher = publisher
      self.memoryLimitBytes = memoryLimitBytes
      self.storageLimitBytes = storageLimitBytes
    }
  }

  public var facts: [AppFacts]
  public var hostVersion: String
  /// Totals since the host started; Prometheus expects counters to begin again at zero.
  public var totals: [SeriesKey: Int64]
  public var held: [SeriesKey: Int64]
  /// As last sampled, by app.
  public var memoryBytes: [String: Int64]
  public var processes: [String: Int64]
  public var durations: [String: LatencyHistogram]
  public var calls: [String: CallStatistics]
  public var standings: [LimitStanding]
  public var lastTick: WallTime
  public var isLedgerBehind: Bool
  public var definitions: [String: MeterDefinition]

  /// The families, in the order of ecosystem.md §4. Never labelled by user, path or URL.
  public func families() -> [MetricFamily] {
    cpu + gauges + network + events + costs + limits + others + host
  }

  public func text() -> String { PrometheusText.text(families()) }

  // MARK: - Families

  private typealias Labels = [(name: String, value: String)]

  private func counter(
    _ name: String, _ help: String, _ parts: [(meter: MeterDefinition, labels: Labels)],
    label: String? = nil
  ) -> MetricFamily {
    var samples: [MetricFamily.Sample] = []
    for part in parts {
      var sums: [String: Int64] = [:]
      for (key, total) in totals where key.meter == part.meter.name {
        sums[label == nil ? key.app : "\(key.app)\n\(key.label)", default: 0] += total
      }
      for (group, sum) in sums.sorted(by: { $0.key < $1.key }) {
        let names = group.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        var labels: Labels = [("app", String(names[0]))] + part.labels
        if let label { labels.append((label, names.count > 1 ? String(names[1]) : "")) }
        samples.append(.init(labels, Self.value(sum, part.meter.unit)))
      }
    }
    return MetricFamily(name: name, kind: .counter, help: help, samples: samples)
  }

  private func gauge(_ name: String, _ help: String, _ values: [String: Int64]) -> MetricFamily {
    MetricFamily(
      name: name, kind: .gauge, help: help,
      samples: values.sorted { $0.key < $1.key }.map { .init([("app", $0.key)], "\($0.value)") })
  }

  /// In base units: seconds, bytes.
  private static func value(_ quantity: Int64, _ unit: MeterUnit) -> String {
    switch unit {
    case .microseconds, .millionths: QuantityText.decimal(quantity, over: 1_000_000, places: 6)
    case .kibibyteSeconds: String(Int128(quantity) * 1_024)
    case .mebibyteSeconds: String(Int128(quantity) * 1_048_576)
    case .bytes, .count: String(quantity)
    }
  }

  private var cpu: [MetricFamily] {
    [
      counter(
        "bulkhead_app_cpu_seconds_total", "CPU time of the app: its own, and the host's for it.",
        [
          (Meters.cpuUser, [("mode", "user")]), (Meters.cpuSystem, [("mode", "system")]),
          (Meters.cpuHost, [("mode", "host")]),
        ])
    ]
  }

  private var gauges: [MetricFamily] {
    let storage = held.filter { $0.key.meter == Meters.storage.name }
    return [
      gauge(
        "bulkhead_app_memory_working_set_bytes", "Memory the app's processes hold.", memoryBytes),
      gauge(
        "bulkhead_app_memory_limit_bytes", "The most memory the app may hold.",
        limits(\.memoryLimitBytes)),
      gauge("bulkhead_app_processes", "Processes of the app.", processes),
      MetricFamily(
        name: "bulkhead_app_storage_bytes", kind: .gauge, help: "Bytes the app keeps, by kind.",
        samples: storage.sorted { ($0.key.app, $0.key.label) < ($1.key.app, $1.key.label) }.map {
          .init([("app", $0.key.app), ("kind", $0.key.label)], "\($0.value)")
        }),
      gauge(
        "bulkhead_app_storage_limit_bytes", "The most bytes the app may keep.",
        limits(\.storageLimitBytes)),
    ]
  }

  private func limits(_ value: (AppFacts) -> Int64?) -> [String: Int64] {
    var found: [String: Int64] = [:]
    for fact in facts { found[fact.app] = value(fact) }
    return found
  }

  private var network: [MetricFamily] {
    [
      counter(
        "bulkhead_app_network_receive_bytes_total", "Bytes towards the app.",
        [
          (Meters.ingressReceived, [("path", "ingress")]),
          (Meters.egressReceived, [("path", "egress")]),
          (Meters.websocketReceived, [("path", "websocket")]),
        ]),
      counter(
        "bulkhead_app_network_transmit_bytes_total", "Bytes from the app.",
        [
          (Meters.ingressSent, [("path", "ingress")]), (Meters.egressSent, [("path", "egress")]),
          (Meters.websocketSent, [("path", "websocket")]),
        ]),
      counter(
        "bulkhead_app_http_requests_total", "HTTP requests, by class of status.",
        [(Meters.requests, [])], label: "code"),
      MetricFamily(
        name: "bulkhead_app_http_request_duration_seconds", kind: .histogram,
        help: "From the last byte of a request's head to the last byte of its response.",
        samples: histograms(durations)),
      MetricFamily(
        name: "bulkhead_app_calls_total", kind: .counter, help: "Calls of the app to the host.",
        samples: calls.sorted { $0.key < $1.key }.flatMap { app, statistics in
          statistics.snapshot.map {
            .init(
              [("app", app), ("method", $0.key.method), ("outcome", $0.key.outcome)],
              "\($0.count)")
          }
        }),
      MetricFamily(
        name: "bulkhead_app_call_duration_seconds", kind: .histogram,
        help: "From an app's call to the host's answer.",
        samples: histograms(calls.mapValues(\.durations))),
      counter(
        "bulkhead_app_job_runs_total", "Runs of jobs, by outcome.", [(Meters.jobRuns, [])],
        label: "outcome"),
    ]
  }

  /// A thousand apps that nobody called are not sixteen thousand lines.
  private func histograms(_ durations: [String: LatencyHistogram]) -> [MetricFamily.Sample] {
    durations.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.flatMap {
      $0.value.samples([("app", $0.key)])
    }
  }

  private var events: [MetricFamily] {
    [
      counter(
        "bulkhead_app_restarts_total", "Restarts of the app.", [(Meters.restarts, [])],
        label: "reason"),
      counter(
        "bulkhead_app_oom_kills_total", "Processes the kernel killed for memory.",
        [(Meters.oomKills, [])]),
      counter(
        "bulkhead_app_process_limit_hits_total", "Forks refused by the process limit.",
        [(Meters.processLimitHits, [])]),
      counter(
        "bulkhead_app_seccomp_denials_total", "System calls refused by the filter.",
        [(Meters.blockedSyscalls, [])], label: "syscall"),
    ]
  }

  private var costs: [MetricFamily] {
    var samples: [MetricFamily.Sample] = []
    for (key, total) in totals.sorted(by: {
      ($0.key.app, $0.key.meter) < ($1.key.app, $1.key.meter)
    }) {
      guard let sku = Pricing.sku(ofMeter: key.meter), let cited = Pricing.citation(key.label)
      else { continue }
      samples.append(
        .init(
          [
            ("app", key.app), ("sku", sku), ("currency", cited.currency),
            ("prices", "v\(cited.version)"),
          ], Self.value(total, .millionths)))
    }
    return [
      MetricFamily(
        name: "bulkhead_app_cost_total", kind: .counter,
        help: "What the app's use cost, in units of the currency.", samples: samples)
    ]
  }

  private var limits: [MetricFamily] {
    let labels = { (standing: LimitStanding) -> Labels in
      [
        ("app", standing.limit.app), ("subject", standing.limit.subject),
        ("period", standing.limit.period.rawValue),
      ]
    }
    return [
      MetricFamily(
        name: "bulkhead_app_limit_used_ratio", kind: .gauge,
        help: "Use of a limit in its period, 1 is all of it.",
        samples: standings.map {
          .init(
            labels($0), QuantityText.decimal($0.used, over: max(1, $0.limit.amount), places: 6))
        }),
      MetricFamily(
        name: "bulkhead_app_limit_state", kind: .gauge,
        help: "0 clear, 1 warned, 2 throttled, 3 stopped.",
        samples: standings.map { .init(labels($0), "\($0.state.rawValue)") }),
    ]
  }

  /// Meters of other brokers need no line here: their definition gives the name.
  private var others: [MetricFamily] {
    let builtIn = Set(Meters.all.map(\.name))
    return definitions.values.sorted { $0.name < $1.name }.compactMap { meter in
      guard !builtIn.contains(meter.name), meter.kind == .counter,
        Pricing.sku(ofMeter: meter.name) == nil
      else { return nil }
      let base = "bulkhead_app_" + meter.name.map { $0 == "." ? "_" : String($0) }.joined()
      let unit =
        switch meter.unit {
        case .microseconds: "_seconds"
        case .bytes: "_bytes"
        case .kibibyteSeconds, .mebibyteSeconds: "_byte_seconds"
        case .count, .millionths: ""
        }
      // Destinations are too many for a label.
      let label = meter.label == "destination" ? nil : meter.label
      return counter(base + unit + "_total", meter.title + ".", [(meter, [])], label: label)
    }
  }

  private var host: [MetricFamily] {
    [
      MetricFamily(
        name: "bulkhead_app_up", kind: .gauge, help: "1 if the app's process runs.",
        samples: facts.map { .init([("app", $0.app)], $0.isUp ? "1" : "0") }),
      MetricFamily(
        name: "bulkhead_app_info", kind: .gauge, help: "Always 1; what is installed.",
        samples: facts.map {
          .init([("app", $0.app), ("version", $0.version), ("publisher", $0.publisher)], "1")
        }),
      MetricFamily(
        name: "bulkhead_build_info", kind: .gauge, help: "Always 1; the host's version.",
        samples: [.init([("version", hostVersion)], "1")]),
      MetricFamily(
        name: "bulkhead_meter_last_tick_timestamp_seconds", kind: .gauge,
        help: "When measurements were last written.", samples: [.init([], "\(lastTick.seconds)")]),
      MetricFamily(
        name: "bulkhead_meter_ledger_behind", kind: .gauge,
        help: "1 while the ledger does not answer.",
        samples: [.init([], isLedgerBehind ? "1" : "0")]),
    ]
  }
}
