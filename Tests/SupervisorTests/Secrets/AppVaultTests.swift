// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import NIOCore
import Supervisor
import Synchronization
import Testing

@Suite struct `An app's vault` {
  let state: StateFixture

  init() throws { state = try StateFixture() }

  func vault(_ seed: UInt64 = 3, rate: SigningRate = SigningRate()) -> AppVault {
    let random = Mutex(UInt64(seed))
    return AppVault(
      app: "org.example.a", path: state.path, ring: state.ring, rate: rate,
      environment: .init(now: { 1_700_000_000 }, nowNanoseconds: { 0 }) { count in
        SeededBytes(
          random.withLock {
            $0 += 1
            return $0
          }
        ).take(count)
      })
  }

  static func ask(
    _ vault: AppVault, _ method: String, _ params: JSONValue, body: [UInt8] = []
  ) async throws -> (result: JSONValue, body: [UInt8]) {
    let reply = await withCheckedContinuation { continuation in
      vault.handle(
        ServiceRequest(
          method: method, params: params, body: ByteBuffer(bytes: body), meta: .init())
      ) { continuation.resume(returning: $0) }
    }
    switch reply {
    case .result(let result, let body): return (result, Array(body.readableBytesView))
    case .failure(let error): throw error
    case .stream: throw HostError(.internal, "stream", "a vault streams nothing")
    }
  }

  @Test func `answers both areas, and has one winner however many ask at once`() async throws {
    let vault = vault()
    _ = try await Self.ask(vault, "secrets.set", ["name": "a"], body: [1, 2])
    #expect(try await Self.ask(vault, "secrets.get", ["name": "a"]).body == [1, 2])
    _ = try await Self.ask(vault, "keys.create", ["name": "k"])
    let signature = try await Self.ask(vault, "keys.sign", ["name": "k"], body: [7]).body
    let checked = try await Self.ask(vault, "keys.verify", ["name": "k"], body: signature + [7])
    #expect(checked.result["valid"] == true)
    let made = try await withThrowingTaskGroup(of: (Bool, [UInt8]).self) { group in
      for _ in 0..<32 {
        group.addTask {
          let answer = try await Self.ask(vault, "secrets.getOrCreate", ["name": "once"])
          return (answer.result["created"] == true, answer.body)
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(made.count { $0.0 } == 1)
    #expect(Set(made.map(\.1)).count == 1)
    #expect(try await vault.secrets { store throws(HostError) in try store.list() }.count == 2)
    #expect(try await vault.publicKeys().map(\.name) == ["k"])
  }

  @Test func `is sealed anew while it is read and written, and opens with the new key alone`()
    async throws
  {
    let vault = vault()
    for index in 0..<250 {
      _ = try await Self.ask(
        vault, "secrets.set", ["name": .string("s\(index)")], body: [UInt8(index)])
    }
    let key = try await Self.ask(vault, "keys.create", ["name": "k"]).result
    let rotated = state.ring.now.rotated(to: try StateFixture.master(2))
    state.ring.replace(with: rotated)
    var rounds = 0
    while try await vault.rewrap() > 0 {
      rounds += 1
      // Between two steps everything opens, old and new.
      _ = try await Self.ask(vault, "secrets.set", ["name": .string("n\(rounds)")], body: [9])
      #expect(try await Self.ask(vault, "secrets.get", ["name": "s249"]).body == [249])
      #expect(try await Self.ask(vault, "secrets.get", ["name": .string("n\(rounds)")]).body == [9])
      _ = try await Self.ask(vault, "keys.sign", ["name": "k"], body: [1])
    }
    #expect(rounds >= 2)
    state.ring.replace(with: rotated.settled())
    let next = self.vault(11)
    for index in 0..<250 {
      #expect(
        try await Self.ask(next, "secrets.get", ["name": .string("s\(index)")]).body == [
          UInt8(index)
        ])
    }
    #expect(try await Self.ask(next, "keys.publicKey", ["name": "k"]).result["raw"] == key["raw"])
    _ = try await Self.ask(next, "keys.sign", ["name": "k"], body: [1])
  }

  @Test func `says that it cannot open what another master key sealed, and leaves it as it is`()
    async throws
  {
    _ = try await Self.ask(vault(), "secrets.set", ["name": "a"], body: [5])
    let right = state.ring.now
    state.ring.replace(with: MasterKeyRing(current: try StateFixture.master(99)))
    let failure = await #expect(throws: RPCError.self) {
      try await Self.ask(vault(), "secrets.get", ["name": "a"])
    }
    #expect(failure?.word == "internal.sealing")
    await #expect(throws: HostError.self) { try await vault().rewrap() }
    state.ring.replace(with: right)
    #expect(try await Self.ask(vault(), "secrets.get", ["name": "a"]).body == [5])
  }

  @Test func `an app's state that is damaged is an error and no crash`() async throws {
    try Data(repeating: 0x5a, count: 8_192).write(to: URL(fileURLWithPath: state.path))
    let failure = await #expect(throws: RPCError.self) {
      try await Self.ask(vault(), "secrets.set", ["name": "a"], body: [5])
    }
    #expect(failure?.word == "internal.state")
    #expect(failure?.message.contains(state.path) == false)
  }
}
