// SPDX-License-Identifier: Apache-2.0

import Command
import GuestAPI
import Manifest
import Testing

@Suite("bulkhead.toml as JSON")
struct ManifestTOMLTests {
  @Test("integers, floats, booleans, texts, lists and tables keep their kinds")
  func kinds() throws {
    let json = try ManifestTOML.json(
      """
      int = 9223372036854775807
      negative = -42
      whole = 1.0
      yes = true
      text = "a\\u00e9\\n"
      list = [1, 2.5, "three", [true]]
      point = { x = 1 }
      [table.nested]
      key = "value"
      [[entry]]
      name = "first"
      [[entry]]
      name = "second"
      """)
    #expect(
      json == [
        "int": 9_223_372_036_854_775_807, "negative": -42, "whole": 1.0, "yes": true,
        "text": "aé\n", "list": [1, 2.5, "three", [true]], "point": ["x": 1],
        "table": ["nested": ["key": "value"]], "entry": [["name": "first"], ["name": "second"]],
      ])
  }

  @Test("a syntax error names its line and column")
  func syntax() {
    #expect { try ManifestTOML.json("manifest = 1\n[app]\nid = org.example\n") } throws: { error in
      guard let error = error as? ManifestTOML.SyntaxError else { return false }
      return error.line == 3 && error.column >= 5 && !error.reason.isEmpty
    }
  }

  @Test("a key that stands twice is an error, as in every JSON the host reads")
  func duplicates() {
    #expect(throws: ManifestTOML.SyntaxError.self) { try ManifestTOML.json("a = 1\na = 2\n") }
  }

  @Test(
    "what JSON cannot hold is refused with its path",
    arguments: [
      ("[app]\nsince = 2026-03-01\n", "app.since"), ("at = [07:00:00]\n", "at[0]"),
      ("t = 2026-03-01T07:00:00Z\n", "t"), ("x = inf\n", "x"), ("x = nan\n", "x"),
    ])
  func values(text: String, path: String) {
    #expect { try ManifestTOML.json(text) } throws: { error in
      (error as? ManifestTOML.ValueError)?.path == path
    }
  }

  @Test("deep nesting ends in an error, not in the end of the process")
  func nesting() {
    let text = "a = " + String(repeating: "[", count: 100_000)
    #expect(throws: ManifestTOML.SyntaxError.self) { try ManifestTOML.json(text) }
  }

  @Test("the manifest of the design reads as it stands there")
  func design() throws {
    let manifest = try AppManifest(
      try ManifestTOML.json(
        """
        manifest = 1
        [app]
        id = "org.example.journal"
        name = "Journal"
        version = "1.4.0"        # for people
        build = 14
        [run]
        runtime = "python"
        command = ["python3", "-m", "journal"]
        data_dir = false
        start_timeout = "10s"
        idle_timeout = "15m"
        max_concurrency = 16
        [limits]
        cpu = 0.5
        memory = "256MiB"
        processes = 32
        storage = "1GiB"
        [http]
        assets = "www"
        public = ["/hooks/*"]
        [[sqlite]]
        name = "main"
        [[outbound]]
        host = "api.example.org"
        methods = ["GET", "POST"]
        reason = "Import issues as notes"
        [[schedule]]
        name = "digest"
        cron = "0 7 * * 1-5"
        timezone = "Europe/Madrid"
        call = "digest"
        """))
    #expect(manifest.limits.cpuMillicores == 500)
    #expect(manifest.schedules.map(\.timezone) == ["Europe/Madrid"])
    #expect(manifest.grants.count == 4)
  }
}
