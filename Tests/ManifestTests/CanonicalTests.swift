// SPDX-License-Identifier: Apache-2.0

import Foundation
import GuestAPI
import Manifest
import Testing

@Suite("Canonical manifests")
struct CanonicalTests {
  static let golden = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

  /// Set to rewrite the golden files after a deliberate change of the format.
  static let updates = ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil

  @Test("written manifests become the golden bytes, and those bytes read back as the same manifest")
  func goldenFiles() throws {
    let sources = try FileManager.default.contentsOfDirectory(atPath: Self.golden.path)
      .filter { $0.hasSuffix(".source.json") }.sorted()
    #expect(sources.count >= 2)
    for name in sources {
      let source = try Data(contentsOf: Self.golden.appending(path: name))
      let manifest = try AppManifest(parsing: Array(source))
      let bytes = manifest.canonicalJSON
      let file = Self.golden.appending(
        path: name.replacingOccurrences(of: ".source.json", with: ".canonical.json"))
      if Self.updates { try Data(bytes + [0x0a]).write(to: file) }
      let expected = try Data(contentsOf: file)
      #expect(
        String(decoding: bytes + [0x0a], as: UTF8.self) == String(decoding: expected, as: UTF8.self)
      )
      #expect(try AppManifest(parsing: bytes) == manifest)
      #expect(try AppManifest(parsing: bytes).canonicalJSON == bytes)
    }
  }

  @Test("the order of keys and the units an author chose do not change the bytes")
  func oneForm() throws {
    let first = ManifestFixture.with("limits", value: ["memory": "1GiB", "cpu": 1])
    let second = ManifestFixture.with("limits", value: ["cpu": 1.0, "memory": "1024MiB"])
    #expect(try AppManifest(first).canonicalJSON == AppManifest(second).canonicalJSON)
  }

  @Test("sizes are bytes and times are seconds")
  func units() throws {
    let json = try AppManifest(ManifestFixture.with("run", "start_timeout", value: "1500ms")).json
    #expect(json["run"]?["start_timeout"] == 1.5)
    #expect(json["run"]?["idle_timeout"] == 900)
    #expect(json["limits"]?["memory"] == 268_435_456)
  }

  @Test("what leaves the host or lets strangers in is asked for first")
  func grants() throws {
    let manifest = try AppManifest(
      parsing: Array(Data(contentsOf: Self.golden.appending(path: "full.source.json"))))
    let grants = manifest.grants
    let sensitive = grants.prefix { $0.isSensitive }
    #expect(sensitive.map(\.kind) == [.outbound, .outbound, .publicPath, .identity])
    #expect(!grants.dropFirst(sensitive.count).contains { $0.isSensitive })
    #expect(Set(grants.map(\.key)).count == grants.count)
    #expect(
      grants[0].sentence
        == "send requests (GET,POST) to https://api.example.org: Import issues as notes")
  }

  @Test("another method or port is another grant, so an upgrade cannot widen one unseen")
  func widerGrant() throws {
    func key(_ outbound: JSONValue) throws -> [String] {
      try AppManifest(ManifestFixture.with("outbound", value: [outbound])).grants.map(\.key)
    }
    let narrow = try key(["host": "x.org", "reason": "r", "methods": ["GET"]])
    #expect(try key(["host": "x.org", "reason": "other words", "methods": ["GET"]]) == narrow)
    #expect(try key(["host": "x.org", "reason": "r", "methods": ["GET", "POST"]]) != narrow)
    #expect(
      try key(["host": "x.org", "reason": "r", "methods": ["GET"], "private": true]) != narrow)
  }
}
