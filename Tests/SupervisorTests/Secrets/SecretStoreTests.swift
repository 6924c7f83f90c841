// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import SQLite
import Supervisor
import Synchronization
import Testing

@Suite struct `Secrets` {
  func code(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch { return (error as? HostError)?.code ?? "\(error)" }
  }

  @Test func `come back as they were set, every version of them`() throws {
    let state = try StateFixture()
    let store = try state.secrets()
    let values: [[UInt8]] = [Array("hunter2".utf8), [], [0, 255, 0, 10]]
    for (index, value) in values.enumerated() {
      state.now += 1
      let record = try store.set("db/password", SecretBytes(value), origin: .app)
      #expect(record.version == Int64(index + 1) && record.setAt == state.now)
    }
    #expect(try store.get("db/password").value.bytes == values[2])
    for version in 1...3 {
      #expect(
        try store.get("db/password", version: Int64(version)).value.bytes == values[version - 1])
    }
    #expect(code { _ = try store.get("db/password", version: 4) } == "not_found.secret")
    // Another process, the same key.
    #expect(try state.secrets().get("db/password").value.bytes == values[2])
    #expect(try store.list().map(\.name) == ["db/password"])
  }

  @Test func `keep the last versions and never use a number twice`() throws {
    let store = try StateFixture().secretsKeepingState()
    for _ in 0..<12 { _ = try store.set("a", SecretBytes([1]), origin: .operator) }
    #expect(try store.get("a").record.versions == Array(3...12))
    #expect(try store.delete("a"))
    #expect(try store.delete("a") == false)
    #expect(code { _ = try store.get("a") } == "not_found.secret")
    #expect(try store.set("a", SecretBytes([2]), origin: .app).version == 13)
  }

  @Test func `are made once, however many ask at the same time`() throws {
    let state = try StateFixture()
    let ring = state.ring
    let path = state.path
    _ = try state.secrets()
    let results = Mutex<[(value: [UInt8], wasMade: Bool)]>([])
    DispatchQueue.concurrentPerform(iterations: 16) { index in
      let random = SeededBytes(UInt64(index))
      do {
        let store = try SecretStore(
          app: "org.example.a", connection: try SQLiteConnection(path: path), ring: ring,
          now: { 0 }, random: { random.take($0) })
        let made = try store.getOrCreate("session", .token(43))
        results.withLock { $0.append((made.value.bytes, made.wasMade)) }
      } catch { Issue.record("\(error)") }
    }
    let all = results.withLock { $0 }
    #expect(all.count == 16 && all.filter(\.wasMade).count == 1)
    #expect(Set(all.map(\.value)).count == 1 && all[0].value.count == 43)
  }

  @Test func `stand nowhere in plain, not in the file, its log or in print`() throws {
    let state = try StateFixture()
    let store = try state.secrets()
    let plain = "correct horse battery staple 8f14e45f"
    let value = SecretBytes(Array(plain.utf8))
    _ = try store.set("s", value, origin: .app)
    #expect(state.bytesOnDisk().range(of: Data(plain.utf8)) == nil)
    var dumped = ""
    dump(value, to: &dumped)
    for text in ["\(value)", String(reflecting: value), dumped, "\(try store.get("s"))"] {
      #expect(!text.contains("horse") && !text.contains("99, 111"))
    }
    let sealed = try #require(try state.connect().run("SELECT sealed FROM secret")[0][0].bytes)
    _ = try store.delete("s")
    #expect(state.bytesOnDisk().range(of: Data(sealed)) == nil)
  }

  @Test func `of one app do not open for another, nor under another name or version`() throws {
    let state = try StateFixture()
    let store = try state.secrets()
    _ = try store.set("a", SecretBytes([1]), origin: .app)
    _ = try store.set("b", SecretBytes([2]), origin: .app)
    _ = try store.set("b", SecretBytes([3]), origin: .app)
    #expect(code { _ = try state.secrets(app: "org.example.b").get("a") } == "internal.sealing")
    let file = try state.connect()
    let swap =
      "UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE name = 'b' AND version = ?)"
    try file.run(swap + " WHERE name = 'a'", 1)
    #expect(code { _ = try store.get("a") } == "internal.sealing")
    try file.run(swap + " WHERE name = 'b'", 1)
    #expect(code { _ = try store.get("b", version: 2) } == "internal.sealing")
    #expect(try store.get("b", version: 1).value.bytes == [2])
  }

  @Test func `that were changed on disk are not used`() throws {
    let state = try StateFixture()
    let store = try state.secrets()
    _ = try store.set("a", SecretBytes([1, 2, 3]), origin: .app)
    let file = try state.connect()
    let sealed = try #require(try file.run("SELECT sealed FROM secret")[0][0].bytes)
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 1
      try file.run("UPDATE secret SET sealed = ?", .blob(changed))
      #expect(code { _ = try store.get("a") } == "internal.sealing")
    }
    try file.run("UPDATE secret SET sealed = x''")
    #expect(code { _ = try store.get("a") } == "internal.sealing")
    try file.run("UPDATE secret SET sealed = ?, key_id = 'gone'", .blob(sealed))
    #expect(code { _ = try store.get("a") } == "internal.sealing")
  }

  @Test(arguments: [
    ("", false), ("a", true), ("A.b_c-d/e9", true), (".hidden", false), ("a b", false),
    ("a\u{0}", false), ("ä", false), (String(repeating: "a", count: 128), true),
    (String(repeating: "a", count: 129), false),
  ])
  func `have names of a narrow kind`(name: String, isName: Bool) throws {
    #expect(SecretPolicy.isName(name) == isName)
    let store = try StateFixture().secretsKeepingState()
    #expect(
      code { _ = try store.set(name, SecretBytes([1]), origin: .app) } == (isName ? nil : "params"))
  }

  @Test func `have bounds`() throws {
    let store = try StateFixture().secretsKeepingState()
    let most = [UInt8](repeating: 1, count: SecretPolicy.valueBytesMax)
    _ = try store.set("a", SecretBytes(most), origin: .app)
    #expect(code { _ = try store.set("a", SecretBytes(most + [1]), origin: .app) } == "params")
    for index in 1..<SecretPolicy.secretsMax {
      _ = try store.set("n\(index)", SecretBytes([]), origin: .app)
    }
    #expect(code { _ = try store.set("more", SecretBytes([]), origin: .app) } == "quota.secrets")
    #expect(code { _ = try store.set("a", SecretBytes([]), origin: .app) } == nil)
  }

  @Test func `are made of what their kind allows, each character as likely as the others`() throws {
    let random = SeededBytes(3)
    #expect(SecretGenerator.bytes(16).generate { random.take($0) }.count == 16)
    let token = SecretGenerator.token(1_024).generate { random.take($0) }
    #expect(token.count == 1_024 && token.allSatisfy { Character(Unicode.Scalar($0)).isASCII })
    var counts: [UInt8: Int] = [:]
    for _ in 0..<200 {
      for byte in SecretGenerator.password(1_000).generate(random: { random.take($0) }) {
        counts[byte, default: 0] += 1
      }
    }
    #expect(counts.count == 57 && !counts.keys.contains { "0O1lI".utf8.contains($0) })
    let expected = 200_000 / 57
    #expect(counts.values.allSatisfy { abs($0 - expected) < expected / 5 })
  }

  @Test(arguments: [
    #"{"kind":"token","length":15}"#, #"{"kind":"token","length":1025}"#, #"{"kind":"uuid"}"#,
    #"{"kind":"bytes","length":"32"}"#, #"{}"#,
  ])
  func `are not made any other way`(json: String) throws {
    let value = try JSONParser.parse(json)
    #expect(code { _ = try SecretGenerator(value) } == "params")
  }

  @Test func `are asked for by method, with values in the body`() throws {
    let state = try StateFixture()
    let service = SecretService(store: try state.secrets())
    let made = try service.answer("secrets.getOrCreate", ["name": "t"], body: [])
    #expect(made.result["created"] == true && made.body.count == 32)
    let again = try service.answer("secrets.getOrCreate", ["name": "t"], body: [])
    #expect(again.result["created"] == false && again.body == made.body)
    _ = try service.answer("secrets.set", ["name": "u"], body: [1, 2])
    _ = try service.answer("secrets.set", ["name": "v", "value": "text"], body: [])
    #expect(try service.answer("secrets.get", ["name": "u"], body: []).body == [1, 2])
    #expect(
      try service.answer("secrets.get", ["name": "v", "version": 1], body: []).body
        == Array("text".utf8))
    let list = try service.answer("secrets.list", [:], body: []).result["secrets"]?.array
    #expect(list?.map { $0["name"] } == ["t", "u", "v"])
    #expect(list?.first?["origin"] == "generated")
    #expect(try service.answer("secrets.delete", ["name": "t"], body: []).result == [:])
    #expect(
      code { _ = try service.answer("secrets.delete", ["name": "t"], body: []) }
        == "not_found.secret")
    #expect(
      code { _ = try service.answer("secrets.get", ["name": "u", "version": 0], body: []) }
        == "params")
    #expect(code { _ = try service.answer("secrets.get", [:], body: []) } == "params")
    #expect(code { _ = try service.answer("secrets.reveal", ["name": "u"], body: []) } == "method")
  }
}

extension StateFixture {
  /// A store of a state whose directory may go with the fixture: its files stay open.
  func secretsKeepingState() throws -> SecretStore {
    let bytes = SeededBytes(7)
    return try SecretStore(
      app: "org.example.a", connection: try SQLiteConnection(path: ":memory:"), ring: ring,
      now: { 1 }, random: { bytes.take($0) })
  }
}
