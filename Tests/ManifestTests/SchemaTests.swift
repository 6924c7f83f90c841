// SPDX-License-Identifier: Apache-2.0

import Foundation
import GuestAPI
import Manifest
import Testing

@Suite("The JSON Schema")
struct SchemaTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func json(_ path: String) throws -> JSONValue {
    try JSONParser.parse(Array(Data(contentsOf: Self.root.appending(path: path))))
  }

  /// The keys a schema allows, by path of the table.
  private func allowed(_ schema: JSONValue, _ path: String = "") -> [String: Set<String>] {
    let table = schema["items"] ?? schema
    guard let properties = table["properties"]?.object else { return [:] }
    var all = [path: Set(properties.keys)]
    for member in properties.members {
      all.merge(allowed(member.value, "\(path)/\(member.key)")) { $1 }
    }
    return all
  }

  /// The keys a manifest has, by path of the table; of several tables in a list all together.
  private func present(_ json: JSONValue, _ path: String = "") -> [String: Set<String>] {
    let tables = json.array ?? [json]
    var all: [String: Set<String>] = [:]
    for table in tables {
      guard let object = table.object else { continue }
      all[path, default: []].formUnion(object.keys)
      for member in object.members where member.key != "env" {
        all.merge(present(member.value, "\(path)/\(member.key)")) { $0.union($1) }
      }
    }
    return all
  }

  @Test("allows exactly the keys the code reads")
  func keys() throws {
    let schema = allowed(try json("docs/schema/bulkhead-1.json"))
    let full = try AppManifest(try json("Tests/ManifestTests/Golden/full.source.json"))
    let keys = present(full.json)
    for (path, expected) in keys { #expect(schema[path] == expected, "\(path)") }
    #expect(Set(schema.keys) == Set(keys.keys))
  }

  @Test("the documentation names every key")
  func documentation() throws {
    let text = try String(
      contentsOf: Self.root.appending(path: "docs/MANIFEST.md"), encoding: .utf8)
    for (path, keys) in allowed(try json("docs/schema/bulkhead-1.json")) where !path.isEmpty {
      for key in keys { #expect(text.contains("`\(key)`"), "\(path)/\(key)") }
    }
  }
}
