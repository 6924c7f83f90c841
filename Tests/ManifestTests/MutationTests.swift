// SPDX-License-Identifier: Apache-2.0

import Foundation
import GuestAPI
import Manifest
import Testing

/// Manifests that nobody would write: whatever comes, the answer is a checked manifest or a list of mistakes.
@Suite("Mutated manifests")
struct MutationTests {
  /// SplitMix64: the same seed gives the same mutations on every machine.
  struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }

  static let strange: [JSONValue] = [
    .null, true, 0, -1, 1, .int(.max), .int(.min), 0.5, -0.0, 1e308, "", " ", "x", "*", "..", "/",
    "a.b", "0s", "1MiB", "9223372036854775807d", "\u{0}", "\u{202e}", "🛳", [], [[]], [1, "x"], [:],
    ["name": "main"], .string(String(repeating: "a", count: 5_000)),
    .array(Array(repeating: ["name": "same"], count: 300)),
  ]

  /// One value somewhere below is replaced, removed, doubled or put under another key.
  private func mutate(_ json: JSONValue, _ random: inout Random) -> JSONValue {
    switch json {
    case .object(var object) where !object.members.isEmpty:
      let index = Int.random(in: object.members.indices, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0: object.members.remove(at: index)
      case 1: object.members[index].key += "s"
      case 2: object["surprise"] = Self.strange.randomElement(using: &random)
      default: object.members[index].value = mutate(object.members[index].value, &random)
      }
      return .object(object)
    case .array(var elements) where !elements.isEmpty && Bool.random(using: &random):
      let index = Int.random(in: elements.indices, using: &random)
      if Bool.random(using: &random) { elements.append(elements[index]) }
      elements[index] = mutate(elements[index], &random)
      return .array(elements)
    default:
      return Self.strange.randomElement(using: &random) ?? .null
    }
  }

  @Test("are accepted as they stand in their canonical form, or refused with reasons")
  func survive() throws {
    let golden = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Golden/full.source.json")
    let full = try JSONParser.parse(Array(Data(contentsOf: golden)))
    var accepted = 0
    for seed in UInt64(0)..<4_000 {
      var random = Random(state: seed)
      var json = full
      for _ in 0..<Int.random(in: 1...3, using: &random) { json = mutate(json, &random) }
      do throws(ManifestError) {
        let manifest = try AppManifest(json)
        accepted += 1
        let again = try AppManifest(parsing: manifest.canonicalJSON)
        #expect(again == manifest, "seed \(seed)")
        #expect(again.canonicalJSON == manifest.canonicalJSON, "seed \(seed)")
        #expect(Set(manifest.grants.map(\.key)).count == manifest.grants.count, "seed \(seed)")
      } catch {
        #expect(error.issues.allSatisfy { !$0.reason.isEmpty }, "seed \(seed)")
        #expect(!error.description.contains("\u{0}"), "seed \(seed)")
      }
    }
    #expect((1..<4_000).contains(accepted), "both outcomes must occur, \(accepted) were accepted")
  }
}
