// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

/// One example of every message of docs/PROTOCOL.md.
struct Example: Sendable, CustomTestStringConvertible {
  var name: String
  var message: Message
  var body: [UInt8] = []
  var testDescription: String { name }

  static let all: [Example] = handshake + http + errors + streams + services
}

extension Example {
  private static func request(
    _ name: String, _ id: Int64, _ method: String, _ params: JSONValue,
    meta: Message.Meta = .init(), stream: Int64? = nil, body: [UInt8] = []
  ) -> Example {
    Example(
      name: name,
      message: .request(
        .init(id: .number(id), method: method, params: params, meta: meta, stream: stream)),
      body: body)
  }

  private static func answer(
    _ name: String, _ id: Int64, _ result: JSONValue, stream: Int64? = nil, body: [UInt8] = []
  ) -> Example {
    Example(
      name: name,
      message: .response(.init(id: .number(id), outcome: .result(result), stream: stream)),
      body: body)
  }

  private static func notification(
    _ name: String, _ method: String, _ params: JSONValue, body: [UInt8] = []
  ) -> Example {
    Example(name: name, message: .notification(method: method, params: params), body: body)
  }

  static let handshake: [Example] = [
    request(
      "initialize.request", 0, "initialize",
      [
        "protocol": [1],
        "host": ["name": "bulkhead", "version": "0.1.0"],
        "app": ["id": "org.example.journal", "name": "Journal", "version": "1.4.0", "build": 14],
        "config": [:],
        "limits": [
          "jsonBytes": 262_144, "frameBytes": 1_048_576, "toGuest": 16, "toHost": 64,
          "streamCredit": 262_144,
        ],
        "grants": ["sqlite": ["main"]],
      ]),
    answer(
      "initialize.answer", 0,
      ["protocol": 1, "sdk": "python/0.1.0", "handles": ["http.request"]]),
    request("ping.request", 1, "ping", [:]),
    answer("ping.answer", 1, [:]),
    request("shutdown.request", 2, "shutdown", ["reason": "stop", "graceMs": 5000]),
    answer("shutdown.answer", 2, [:]),
  ]

  static let http: [Example] = [
    request(
      "http-request.plain", 7, "http.request",
      [
        "method": "GET", "target": "/entries?q=caf%C3%A9", "headers": [["accept", "*/*"]],
        "remote": ["ip": "192.0.2.7", "scheme": "http"], "identity": nil,
      ], meta: .init(deadlineMs: 120_000)),
    request(
      "http-request.identity", 8, "http.request",
      [
        "method": "POST", "target": "/entries",
        "headers": [["Content-Type", "text/plain"], ["content-length", "5"]],
        "remote": ["ip": "2001:db8::7", "scheme": "https"],
        "identity": ["id": "ana", "name": "Ana \"Añil\" 😀", "groups": ["staff", "editors"]],
      ],
      meta: .init(
        deadlineMs: 30_000,
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
      body: Array("hello".utf8)),
    request(
      "http-request.stream", 9, "http.request",
      [
        "method": "PUT", "target": "/upload", "headers": [["content-length", "1073741824"]],
        "remote": ["ip": "192.0.2.7", "scheme": "http"], "identity": nil,
      ], meta: .init(deadlineMs: 120_000), stream: 3, body: [0x00, 0xff, 0x0a, 0x7b]),
    answer(
      "http-request.answer", 7,
      [
        "status": 200,
        "headers": [["content-type", "text/plain"], ["set-cookie", "a=1; Path=/"]],
      ],
      body: Array("three\nlines\n".utf8) + [0, 255]),
    answer("http-request.answer-empty", 8, ["status": 204, "headers": []]),
    answer(
      "http-request.answer-stream", 9,
      ["status": 200, "headers": [["content-type", "text/event-stream"]]], stream: 4,
      body: Array("data: 1\n\n".utf8)),
  ]

  static let errors: [Example] = HostError.Area.allCases.map { area in
    var error = HostError(area, "example", "what failed, why, and what to do next")
    if area == .sql { error.data = [("extended", 2067), ("offset", 12)] }
    if area == .overloaded { error.data = [("retryAfter", 1)] }
    return Example(
      name: "error.\(area.rawValue)",
      message: .response(.init(id: .string("q-1"), outcome: .error(RPCError(error)))))
  }

  static let streams: [Example] = [
    notification("data.piece", "$/data", ["stream": 3, "end": false], body: Array(0...255)),
    notification("data.end", "$/data", ["stream": 3, "end": true]),
    notification(
      "data.broken-off", "$/data", ["stream": 3, "end": true, "error": "the client went away"]),
    notification("credit", "$/credit", ["stream": 3, "bytes": 65_536]),
    notification("stop", "$/stop", ["stream": 3]),
    notification("cancel.number", "$/cancel", ["id": 7]),
    notification("cancel.string", "$/cancel", ["id": "q-1"]),
  ]

  static let services: [Example] = [
    request(
      "sql-query.request", 1, "sql.query",
      [
        "database": "main", "sql": "SELECT id, title, score, thumb FROM entries WHERE id > ?1",
        "params": [41],
      ], meta: .init(deadlineMs: 5_000)),
    answer(
      "sql-query.answer", 1,
      [
        "columns": ["id", "title", "score", "thumb"],
        "rows": [
          [9_007_199_254_740_993, "näive\n", 1.0, ["blob": [0, 4]]],
          [43, nil, ["real": "-inf"], ["blob": [4, 2]]],
        ],
      ], body: [0x89, 0x50, 0x4e, 0x47, 0x00, 0xff]),
    request(
      "sql-execute.request", 2, "sql.execute",
      [
        "database": "main", "sql": "INSERT INTO entries (title, thumb) VALUES (:title, :thumb)",
        "params": ["title": "Tuesday", "thumb": ["blob": [0, 3]]],
      ], body: [1, 2, 3]),
    answer("sql-execute.answer", 2, ["changes": 1, "lastInsertRowId": 44]),
    request(
      "sql-batch.request", 3, "sql.batch",
      [
        "database": "main",
        "statements": [
          ["sql": "DELETE FROM entries WHERE id = ?", "params": [7]],
          ["sql": "UPDATE counters SET n = n - 1"],
        ],
      ]),
    answer(
      "sql-batch.answer", 3,
      [
        "results": [
          ["changes": 1, "lastInsertRowId": 0], ["changes": 1, "lastInsertRowId": 0],
        ]
      ]),
    request("config-get.request", 4, "config.get", [:]),
    answer(
      "config-get.answer", 4, ["config": ["greeting": "hello", "pageSize": 20, "beta": false]]),
    request(
      "log-write.request", 5, "log.write",
      ["level": "info", "message": "imported", "fields": ["rows": 1200, "seconds": 0.25]]),
    answer("log-write.answer", 5, [:]),
    request("usage-get.request", 6, "usage.get", [:]),
    answer(
      "usage-get.answer", 6,
      [
        "since": "2026-03-09T10:00:00Z", "until": "2026-03-09T11:00:00Z", "cpuSeconds": 1.5,
        "meters": [
          [
            "meter": "cpu.guest", "label": "", "unit": "microseconds", "quantity": 1_500_000,
            "source": "cgroup2",
          ]
        ],
        "held": [["meter": "storage.sqlite", "label": "main", "bytes": 40_960]],
      ]),
    request("usage-cost.request", 7, "usage.cost", [:]),
    answer(
      "usage-cost.answer", 7,
      [
        "since": "2026-03-01T00:00:00Z", "until": "2026-03-09T11:00:00Z",
        "lines": [
          [
            "sku": "cpu", "title": "CPU", "priceVersion": 1, "currency": "EUR", "micros": 42_000,
            "quantity": 7_200_000_000, "unit": "us", "pricingUnit": "core-hour",
            "per": 3_600_000_000,
            "meters": [
              ["meter": "cpu.user", "quantity": 7_000_000_000],
              ["meter": "cpu.system", "quantity": 200_000_000],
            ],
          ]
        ],
        "totals": [["currency": "EUR", "micros": 42_000]],
      ]),
  ]
}
