// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import SQLite
import Supervisor
import Testing

@Suite struct `The master key` {
  func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  func write(_ text: String, to path: String, mode: Int = 0o600) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
  }

  @Test func `is made once, for the host alone to read`() throws {
    let state = try StateFixture()
    let file = MasterKeyFile(path: "\(state.directory)/master.key")
    let random = SeededBytes(5)
    let first = try file.loadOrGenerate { random.take($0) }
    let second = try file.loadOrGenerate { random.take($0) }
    #expect(first.wasMade && !second.wasMade)
    #expect(first.ring.current.id == second.ring.current.id)
    #expect(try mode(file.path) == 0o600)
    #expect(throws: MasterKeyFile.Failure.self) {
      try MasterKeyFile(path: "\(state.directory)/zero.key")
        .loadOrGenerate { [UInt8](repeating: 0, count: $0) }
    }
  }

  @Test(arguments: [0o644, 0o640, 0o604, 0o660])
  func `is refused when others could read it`(mode: Int) throws {
    let state = try StateFixture()
    let path = "\(state.directory)/k"
    try write(String(repeating: "0f", count: 31) + "aa", to: path, mode: mode)
    #expect(throws: MasterKeyFile.Failure.self) { try MasterKeyFile(path: path).load() }
  }

  @Test func `is refused as a link`() throws {
    let state = try StateFixture()
    try write(String(repeating: "0f", count: 31) + "aa", to: "\(state.directory)/k")
    try FileManager.default.createSymbolicLink(
      atPath: "\(state.directory)/l", withDestinationPath: "\(state.directory)/k")
    #expect(throws: MasterKeyFile.Failure.self) {
      try MasterKeyFile(path: "\(state.directory)/l").load()
    }
  }

  @Test func `may be raw, hexadecimal or base64, and is the same key`() throws {
    let state = try StateFixture()
    let bytes = SeededBytes(11).take(32)
    let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    let path = "\(state.directory)/k"
    var ids: Set<String> = []
    for data in [
      Data(bytes), Data(hex.utf8), Data((Data(bytes).base64EncodedString() + "\n").utf8),
    ] {
      try data.write(to: URL(fileURLWithPath: path))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      ids.insert(try #require(try MasterKeyFile(path: path).load()).current.id)
    }
    #expect(ids == [try #require(MasterKey(bytes)).id])
    #expect(try #require(MasterKey(bytes)).id.count == 16)
  }

  @Test(arguments: [
    "", "short", "0f0f", "bulkhead-master-key 1\n", "bulkhead-master-key 2\nAAAA", "not base64 !!",
  ])
  func `is nothing else`(text: String) throws {
    let state = try StateFixture()
    let path = "\(state.directory)/k"
    try write(text, to: path)
    #expect(throws: MasterKeyFile.Failure.self) { try MasterKeyFile(path: path).load() }
  }

  @Test func `comes from systemd if systemd gives one, and is not written then`() throws {
    let state = try StateFixture()
    let own = "\(state.directory)/master.key"
    #expect(MasterKeyFile.locate(credentialsDirectory: state.directory, path: own).path == own)
    try write(
      String(repeating: "0f", count: 31) + "aa", to: "\(state.directory)/bulkhead-master-key",
      mode: 0o440)
    let file = MasterKeyFile.locate(credentialsDirectory: state.directory, path: own)
    #expect(file.isReadOnly)
    let ring = try #require(try file.load())
    #expect(throws: MasterKeyFile.Failure.self) { try file.store(ring) }
    #expect(MasterKeyFile.locate(credentialsDirectory: nil, path: own).path == own)
  }

  @Test func `prints its id and nothing else`() throws {
    let bytes = SeededBytes(11).take(32)
    let key = try #require(MasterKey(bytes))
    var dumped = ""
    dump(key, to: &dumped)
    let base64 = Data(bytes).base64EncodedString()
    #expect("\(key)" == "master key \(key.id)")
    #expect(!dumped.contains(base64) && !dumped.contains("\(bytes[0]), \(bytes[1])"))
    #expect(!String(describing: MasterKeyRing(current: key)).contains(base64))
  }

  @Test func `is replaced while apps use it, and a stop at any step loses nothing`() throws {
    // Stopped after each number of steps in turn, until a rotation gets through whole.
    var stops = 0
    var isWhole = false
    while !isWhole {
      let state = try StateFixture()
      let file = MasterKeyFile(path: "\(state.directory)/master.key")
      let random = SeededBytes(UInt64(stops))
      state.ring.replace(with: try file.loadOrGenerate { random.take($0) }.ring)
      let before = state.ring.now.current.id
      let store = try state.secrets()
      let keys = try state.keys()
      for index in 0..<5 {
        _ = try store.set("s\(index)", SecretBytes([UInt8(index)]), origin: .app)
      }
      let key = try keys.create("k")
      let rotation = MasterKeyRotation(file: file, ring: state.ring)
      try rotation.begin { random.take($0) }
      _ = try store.set("during", SecretBytes([9]), origin: .app)
      var left = stops
      do throws(HostError) {
        try rotation.finish(apps: ["a"]) { _ throws(HostError) in
          guard left > 0 else { throw HostError(.internal, "killed", "") }
          left -= 1
          return try store.rewrap(atMost: 2) + keys.rewrap(atMost: 2)
        }
        isWhole = true
      } catch { #expect(error.code == "internal.killed") }
      // Another start: only what is on disk counts.
      let ring = try #require(try file.load())
      #expect(ring.current.id != before && ring.older.isEmpty == isWhole)
      state.ring.replace(with: ring)
      let next = try state.secrets()
      for index in 0..<5 { #expect(try next.get("s\(index)").value.bytes == [UInt8(index)]) }
      #expect(try next.get("during").value.bytes == [9])
      let nextKeys = try state.keys()
      let signed = try nextKeys.sign([1], with: "k")
      #expect(KeyStore.verify(signed.signature, over: [1], publicKey: key.publicKey.raw))
      let second = MasterKeyRotation(file: file, ring: state.ring)
      try second.finish(apps: ["a"]) { _ throws(HostError) in
        try next.rewrap(atMost: 2) + nextKeys.rewrap(atMost: 2)
      }
      #expect(try #require(try file.load()).older.isEmpty)
      #expect(try next.get("s4").value.bytes == [4])
      stops += 1
    }
    #expect(stops > 3)
  }
}
