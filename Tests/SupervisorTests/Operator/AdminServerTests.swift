// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Foundation
import GuestAPI
import Supervisor
import Testing

@Suite("The admin server")
struct AdminServerTests {
  static let manifest: JSONValue = [
    "manifest": 1,
    "app": ["id": "org.example.journal", "name": "Journal", "version": "1.4.0", "build": 14],
    "run": ["runtime": "python", "command": ["python3"]], "sqlite": [["name": "main"]],
  ]

  @Test("a list of apps comes back as it was, every figure raw")
  func list() async throws {
    try await ServedFakeHost.run { served in
      let apps = try await served.ask { client throws(AdminClientError) in
        try client.json([AppStatus].self, "GET", AdminPath.apps)
      }.get()
      #expect(apps == (try await served.host.list()))
    }
  }

  @Test("an app answers to its id and to its origin name, and to nothing else")
  func names() async throws {
    try await ServedFakeHost.run { served in
      for name in ["journal", "org.example.journal"] {
        let app = try await served.ask { client throws(AdminClientError) in
          try client.json(AppStatus.self, "GET", AdminPath.app(name))
        }.get()
        #expect(app.id == "org.example.journal")
      }
      let problem = await served.problem { client throws(AdminClientError) in
        try client.send("GET", AdminPath.app("no/such app?"))
      }
      #expect(problem?.status == 404)
      #expect(problem?.code == "not_found.app")
      #expect(problem?.detail.contains("no/such app?") == true)
    }
  }

  @Test("what only the host's log may know is in no answer")
  func secretDetail() async throws {
    try await ServedFakeHost.run { served in
      let problem = await served.problem { client throws(AdminClientError) in
        try client.send("POST", AdminPath.app("nobody", "start"))
      }
      #expect(problem != nil)
      #expect(!"\(problem as Any)".contains("/secret/path"))
    }
  }

  @Test("installing needs every grant approved")
  func install() async throws {
    try await ServedFakeHost.run { served in
      let source = PackageSource(directory: "/pkg", manifest: Self.manifest)
      let review = try await served.ask { client throws(AdminClientError) in
        try client.json(InstallReview.self, "POST", AdminPath.reviews, body: source)
      }.get()
      #expect(review.grants.map(\.key) == ["database:main"])
      let refused = await served.problem { client throws(AdminClientError) in
        try client.json(
          InstallReport.self, "POST", AdminPath.apps,
          body: InstallRequest(source: source, approvedGrants: []))
      }
      #expect(refused?.code == "permission.grants")
      let report = try await served.ask { client throws(AdminClientError) in
        try client.json(
          InstallReport.self, "POST", AdminPath.apps,
          body: InstallRequest(source: source, approvedGrants: review.grants.map(\.key)))
      }.get()
      #expect(report.id == "org.example.journal")
      #expect(served.host.calls == ["review /pkg", "install org.example.journal"])
    }
  }

  @Test("a manifest with mistakes is refused with each of them")
  func badManifest() async throws {
    try await ServedFakeHost.run { served in
      let source = PackageSource(directory: "/pkg", manifest: ["manifest": 1, "ap": [:]])
      let problem = await served.problem { client throws(AdminClientError) in
        try client.json(InstallReview.self, "POST", AdminPath.reviews, body: source)
      }
      #expect(problem?.status == 422)
      #expect(problem?.code == "manifest.invalid")
      let issues = problem?.issues ?? []
      #expect(issues.count > 5)
      #expect(issues.contains { $0.path == "ap" && $0.suggestion == "did you mean \"app\"?" })
    }
  }

  @Test(
    "bodies that are not the JSON a path takes are refused as such",
    arguments: [
      ("{", "parse"), (#"{"file":"a","file":"b"}"#, "parse"), (#"{"file":1}"#, "params"),
      ("[]", "params"), ("", "parse"),
    ])
  func badBody(text: String, code: String) async throws {
    try await ServedFakeHost.run { served in
      let problem = await served.problem { client throws(AdminClientError) in
        try client.send(
          "POST", AdminPath.app("journal", "sql", "main", "backup"), body: Array(text.utf8))
      }
      #expect(problem?.code == code)
    }
  }

  @Test(
    "numbers out of range are refused by name, before they reach the host",
    arguments: [
      ("limits", #"{"reset":false,"memoryBytes":-1}"#, "params.memoryBytes"),
      ("limits", #"{"reset":false,"cpuCores":0}"#, "params.cpu"),
      ("limits", #"{"reset":false,"processes":99999}"#, "params.processes"),
      (
        "limits",
        #"{"reset":false,"budget":{"meter":"cost","period":"day","max":-5,"action":"stop"}}"#,
        "params.max"
      ),
      ("sql/main", #"{"sql":"SELECT 1","params":[],"write":false,"rowsMax":-1}"#, "params.rows"),
    ])
  func outOfRange(path: String, body: String, code: String) async throws {
    try await ServedFakeHost.run { served in
      let problem = await served.problem { client throws(AdminClientError) in
        try client.send(
          path == "limits" ? "PATCH" : "POST", "\(AdminPath.app("journal"))/\(path)",
          body: Array(body.utf8))
      }
      #expect(problem?.code == code)
    }
  }

  @Test("a body over a mebibyte is refused before it is read whole")
  func longBody() async throws {
    try await ServedFakeHost.run { served in
      let body = [UInt8](repeating: 0x20, count: 1_024 * 1_024 + 1)
      let problem = await served.problem { client throws(AdminClientError) in
        try client.send("POST", AdminPath.reviews, body: body)
      }
      #expect(problem?.code == "params.size")
    }
  }

  @Test("a path or method there is not gives a problem too")
  func unknownPath() async throws {
    try await ServedFakeHost.run { served in
      let problem = await served.problem { client throws(AdminClientError) in
        try client.send("GET", "/v1/nothing")
      }
      #expect(problem?.status == 404)
      #expect(problem?.code == "method")
    }
  }

  /// The lines of an answer to a statement.
  private func lines(_ served: ServedFakeHost, _ sql: String) async throws -> [SQLLine] {
    let body = try AdminCoding.encode(SQLRequest(sql: sql))
    let raw = try await served.ask { client throws(AdminClientError) in
      var lines: [[UInt8]] = []
      try client.lines(
        AdminPath.app("journal", "sql", "main"), method: "POST", body: body, follow: false
      ) {
        lines.append($0)
        return true
      }
      return lines
    }.get()
    return try raw.map { try SQLLine(line: $0) }
  }

  @Test("rows come a line each; an error in their midst is the last line")
  func rows() async throws {
    try await ServedFakeHost.run { served in
      let whole = try await lines(served, "SELECT 1")
      #expect(
        whole == [
          .columns(["id", "title"]), .row([1, "first"]), .row([9_007_199_254_740_993, .null]),
          .row([.double(1.5), "say \"hi\""]), .end(SQLOutcome()),
        ])
      let broken = try await lines(served, "SELECT broken")
      guard case .problem(let problem)? = broken.last else {
        Issue.record("\(broken)")
        return
      }
      #expect(broken.dropLast() == whole.dropLast(2))
      #expect(problem.code == "deadline.sql" && problem.retryable)
      let refused = await served.ask { client throws(AdminClientError) in
        try client.lines(
          AdminPath.app("journal", "sql", "main"), method: "POST",
          body: Array(#"{"sql":"DELETE","params":[],"write":false}"#.utf8), follow: false
        ) { _ in true }
      }
      guard case .failure(.problem(let why)) = refused else {
        Issue.record("\(refused)")
        return
      }
      #expect(why.code == "sql.read_only")
    }
  }

  @Test("every other operation reaches the host with what it was given")
  func theRest() async throws {
    try await ServedFakeHost.run { served in
      let secret = try await served.ask { client throws(AdminClientError) in
        try client.json(
          SecretInfo.self, "PUT", AdminPath.app("journal", "secrets", "smtp_password"),
          body: SecretValue(base64: "AAECAw=="))
      }.get()
      #expect(secret.name == "smtp_password" && secret.version == 4)
      _ = try await served.ask { client throws(AdminClientError) in
        try client.send("DELETE", AdminPath.app("journal", "secrets", "smtp_password"))
      }.get()
      let report = try await served.ask { client throws(AdminClientError) in
        try client.send("GET", AdminPath.query("/v1/reports/cost", [("by", "day")]))
      }.get()
      #expect(report.contentType == "text/csv; charset=utf-8")
      #expect(String(decoding: report.body, as: UTF8.self) == "cost,day\r\n")
      let limits = try await served.ask { client throws(AdminClientError) in
        try client.json(
          LimitReport.self, "PATCH", AdminPath.app("journal", "limits"),
          body: LimitChange(cpuCores: 0.25))
      }.get()
      #expect(limits.effective.cpuCores == 0.25)
      let removed = try await served.ask { client throws(AdminClientError) in
        try client.json(
          UninstallReport.self, "DELETE",
          AdminPath.query(AdminPath.app("journal"), [("keepData", "true")]))
      }.get()
      #expect(removed.keptData == "/data/kept")
    }
  }

  @Test("metrics, health and readiness answer without the rest of the interface")
  func observation() async throws {
    try await ServedFakeHost.run { served in
      let metrics = try await served.ask { client throws(AdminClientError) in
        try client.send("GET", AdminPath.metrics)
      }.get()
      #expect(metrics.contentType == "text/plain; version=0.0.4; charset=utf-8")
      #expect(String(decoding: metrics.body, as: UTF8.self).hasPrefix("# TYPE"))
      let ready = await served.ask { client throws(AdminClientError) in
        try client.send("GET", AdminPath.ready)
      }
      // The fake host lacks a layer, so it is alive and not ready; the answer is a list, not a problem.
      #expect(throws: AdminClientError.self) { try ready.get() }
    }
  }
}
