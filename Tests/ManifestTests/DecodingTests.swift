// SPDX-License-Identifier: Apache-2.0

import GuestAPI
import Manifest
import Testing

@Suite("Reading a manifest")
struct DecodingTests {
  @Test("the smallest manifest gets every default")
  func defaults() throws {
    let manifest = try AppManifest(ManifestFixture.smallest)
    #expect(manifest.app.origin == "journal")
    #expect(manifest.run.concurrencyMax == 16)
    #expect(manifest.run.startTimeout == .seconds(10))
    #expect(manifest.run.idleTimeout == .minutes(15))
    #expect(manifest.run.stopTimeout == .seconds(5))
    #expect(manifest.limits.cpuMillicores == 1_000)
    #expect(manifest.limits.memory == .mebibytes(256))
    #expect(manifest.limits.processes == 32)
    #expect(manifest.limits.storage == .gibibytes(1))
    #expect(manifest.grants.isEmpty)
  }

  @Test("several mistakes are all named, each with its path, a reason and a suggestion")
  func everyMistake() throws {
    let issues = ManifestFixture.issues([
      "manifest": 2,
      "app": ["id": "Journal", "name": "Journal", "verison": "1.4.0", "build": 0],
      "run": ["runtime": "pyton", "command": [], "start_timeout": "ten seconds"],
      "limits": ["memory": "1MiB", "cpu": "half"],
      "sqlite": [["name": "main"], ["name": "main"]],
      "outbound": [["host": "https://api.example.org/v1", "methods": ["get"]]],
      "shedule": [],
    ])
    let paths = issues.map(\.path)
    for path in [
      "manifest", "app.id", "app.version", "app.verison", "app.build", "run.runtime",
      "run.command", "run.start_timeout", "limits.memory", "limits.cpu", "sqlite[1].name",
      "outbound[0].host", "outbound[0].methods[0]", "outbound[0].reason", "shedule",
    ] {
      #expect(paths.contains(path), "\(path) is not among \(paths)")
    }
    func suggestion(_ path: String) -> String? { issues.first { $0.path == path }?.suggestion }
    #expect(suggestion("app.verison") == "did you mean \"version\"?")
    #expect(suggestion("run.runtime") == "did you mean \"python\"?")
    #expect(suggestion("shedule") == "did you mean \"schedule\"?")
    #expect(suggestion("outbound[0].methods[0]") == "write \"GET\"")
    #expect(paths.count == Set(paths).count, "no mistake is named twice: \(paths)")
  }

  @Test("a manifest of nothing but mistakes gets a bounded answer")
  func boundedAnswer() {
    let object = JSONObject((0..<5_000).map { (key: "key\($0)", value: .int(1)) })
    #expect(ManifestFixture.issues(.object(object)).count <= 101)
  }

  @Test(
    "ids that are not reverse DNS are refused",
    arguments: [
      "journal", "org..journal", ".org.example", "org.example.", "org.example.-x", "org.Example.x",
      "org.exam ple", "org.exämple.x", "1org.example", "org/example", "..", "org.example\n",
      String(repeating: "a.", count: 64) + "b",
    ])
  func badIdentifiers(id: String) {
    let issues = ManifestFixture.issues(ManifestFixture.with("app", "id", value: .string(id)))
    #expect(issues.contains { $0.path == "app.id" }, "\(id) was accepted")
  }

  @Test("an id of exactly 128 bytes is accepted, one more is not")
  func identifierLength() {
    let label = String(repeating: "a", count: 62)
    #expect("a\(label).\(label).b".utf8.count == 128)
    #expect(AppIdentifier.isValid("a\(label).\(label).b"))
    #expect(!AppIdentifier.isValid("a\(label).a\(label).b"))
  }

  @Test("a last part of the id that starts with a digit still makes an origin")
  func digitOrigin() throws {
    let manifest = try AppManifest(ManifestFixture.with("app", "id", value: "org.example.2048"))
    #expect(manifest.app.origin == "2048")
  }

  @Test(
    "paths that lead out of the package are refused",
    arguments: [
      "/etc", "../up", "www/../../etc", "www/..", ".", "./www", "www//x", "", "/", "www/./x",
      "www\u{0}", "..",
    ])
  func badPaths(path: String) {
    for key in [("http", "assets"), ("app", "icon")] {
      let json = ManifestFixture.with(key.0, key.1, value: .string(path))
      #expect(ManifestFixture.issues(json).map(\.path) == ["\(key.0).\(key.1)"], "\(path)")
    }
  }

  @Test(
    "hosts that no operator could judge are refused",
    arguments: [
      "*", "*.org", "https://x.org", "x.org/path", "x.org:443", "X.org", "a*.x.org", "*.*.x.org",
      "", "x..org", "-x.org", "user@x.org", "[::1]", "x org",
    ])
  func badHosts(host: String) {
    let json = ManifestFixture.with(
      "outbound", value: [["host": .string(host), "reason": "to test"]])
    #expect(ManifestFixture.issues(json).map(\.path) == ["outbound[0].host"], "\(host)")
  }

  @Test("public paths have one * at most, at the end")
  func publicPaths() throws {
    let good = ManifestFixture.with("http", "public", value: ["/", "/hooks/*", "/feed.xml", "/*"])
    #expect(try AppManifest(good).http.publicPaths.count == 4)
    for path in ["hooks", "/a/*/b", "/a/../b", "//", "/a?x", "/a b", "/ä"] {
      let json = ManifestFixture.with("http", "public", value: [.string(path)])
      #expect(ManifestFixture.issues(json).map(\.path) == ["http.public[0]"], "\(path)")
    }
  }

  @Test("variables that the host sets cannot be set by a manifest")
  func reservedVariables() {
    let json = ManifestFixture.with(
      "run", "env", value: ["BULKHEAD_FD": "3", "A=B": "x", "9A": "x", "OK": "fine"])
    #expect(
      ManifestFixture.issues(json).map(\.path) == [
        "run.env.BULKHEAD_FD", "run.env.A=B", "run.env.9A",
      ])
  }

  @Test("times and sizes are read in every unit, and nothing else")
  func units() {
    #expect(TimeSpan("500ms") == TimeSpan(milliseconds: 500))
    #expect(TimeSpan("2h") == .minutes(120))
    #expect(TimeSpan("7d") == .hours(168))
    for text in ["10", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "١s", "9223372036854775807d"] {
      #expect(TimeSpan(text) == nil, "\(text)")
    }
    #expect(ByteSize("256MiB") == .mebibytes(256))
    #expect(ByteSize("1kB") == ByteSize(bytes: 1_000))
    #expect(ByteSize("0B") == ByteSize(bytes: 0))
    for text in ["256", "MiB", "1mib", "-1B", "1.5GiB", "9223372036854775807KiB", "1 GiB"] {
      #expect(ByteSize(text) == nil, "\(text)")
    }
    #expect(ByteSize.mebibytes(1_536).description == "1536MiB")
    #expect(TimeSpan.seconds(90).description == "90s")
  }

  @Test("an idle timeout of zero means never")
  func neverIdle() throws {
    let manifest = try AppManifest(ManifestFixture.with("run", "idle_timeout", value: "0s"))
    #expect(manifest.run.idleTimeout == nil)
  }

  @Test("a fraction of a core is kept to the thousandth")
  func cores() throws {
    #expect(
      try AppManifest(ManifestFixture.with("limits", "cpu", value: 0.29)).limits.cpuMillicores
        == 290)
    #expect(
      try AppManifest(ManifestFixture.with("limits", "cpu", value: 2)).limits.cpuMillicores == 2_000
    )
    for bad: JSONValue in [0, -1, 0.0001, 0.1234567, 1e300, "1"] {
      #expect(!ManifestFixture.issues(ManifestFixture.with("limits", "cpu", value: bad)).isEmpty)
    }
  }

  @Test("a build that can read only newer data than its own is refused")
  func upgradeFrom() {
    let json = ManifestFixture.with("app", "upgrade_from", value: 15)
    #expect(ManifestFixture.issues(json).map(\.path) == ["app.upgrade_from"])
  }

  @Test("a setting's default has the setting's type")
  func settings() throws {
    let good = ManifestFixture.with(
      "setting", value: [["name": "ratio", "type": "number", "default": 2]])
    #expect(try AppManifest(good).settings.first?.defaultValue == .number(2))
    let bad = ManifestFixture.with(
      "setting", value: [["name": "ratio", "type": "number", "default": "2"]])
    #expect(ManifestFixture.issues(bad).map(\.path) == ["setting[0].default"])
  }

  @Test("text that is no object, no JSON or too long is one clear issue")
  func notAManifest() {
    for bytes in [Array("[]".utf8), Array("{".utf8), Array(repeating: 0x20, count: 300_000)] {
      #expect(throws: ManifestError.self) { try AppManifest(parsing: bytes) }
    }
  }
}
