// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import SQLite
import Supervisor
import Testing

@Suite struct `Signing keys` {
  func code(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch { return (error as? HostError)?.code ?? "\(error)" }
  }

  /// RFC 8032 §7.1: seed, public key, message, signature.
  static let vectors: [[String]] = [
    [
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
    [
      "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ],
  ]

  @Test(arguments: vectors)
  func `sign and verify as RFC 8032 says`(vector: [String]) throws {
    let state = try StateFixture()
    let store = try state.keys(random: { _ in bytes(hex: vector[0]) })
    let message = bytes(hex: vector[2])
    #expect(try store.create("k").publicKey.raw == bytes(hex: vector[1]))
    #expect(try store.sign(message, with: "k").signature == bytes(hex: vector[3]))
    #expect(try store.verify(bytes(hex: vector[3]), over: message, name: "k") == 1)
    for index in 0..<64 {
      var changed = bytes(hex: vector[3])
      changed[index] ^= 0x40
      #expect(try store.verify(changed, over: message, name: "k") == nil)
    }
    #expect(try store.verify(bytes(hex: vector[3]), over: message + [0], name: "k") == nil)
  }

  @Test func `refuse a signature whose S is not below the order`() throws {
    let vector = Self.vectors[1]
    var signature = bytes(hex: vector[3])
    // S + L verifies where nobody looks.
    let order = bytes(hex: "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
    var carry = 0
    for index in 0..<32 {
      let sum = Int(signature[32 + index]) + Int(order[index]) + carry
      signature[32 + index] = UInt8(sum & 0xff)
      carry = sum >> 8
    }
    #expect(carry == 0 && !Ed25519Rules.isAcceptable(signature: signature))
    #expect(
      !KeyStore.verify(signature, over: bytes(hex: vector[2]), publicKey: bytes(hex: vector[1])))
    #expect(Ed25519Rules.isAcceptable(signature: bytes(hex: vector[3])))
  }

  /// Points of small order and encodings that are none, as keys and as R (Chalkias et al. 2020, table 5, and their signs).
  static let badPoints = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ]

  @Test(arguments: badPoints)
  func `refuse points of small order and encodings that are not canonical`(hex: String) throws {
    let point = bytes(hex: hex)
    #expect(!Ed25519Rules.isAcceptable(publicKey: point))
    #expect(!Ed25519Rules.isAcceptable(signature: point + [UInt8](repeating: 0, count: 32)))
    // Under the identity R = identity and S = 0 "sign" every message.
    let forged = bytes(hex: Self.badPoints[0]) + [UInt8](repeating: 0, count: 32)
    #expect(!KeyStore.verify(forged, over: [1, 2, 3], publicKey: point))
  }

  @Test func `take what is sound and nothing of another length`() throws {
    for vector in Self.vectors {
      let key = bytes(hex: vector[1])
      #expect(Ed25519Rules.isAcceptable(publicKey: key))
      #expect(!Ed25519Rules.isAcceptable(publicKey: key.dropLast()))
      #expect(!Ed25519Rules.isAcceptable(signature: bytes(hex: vector[3]) + [0]))
    }
  }

  @Test func `are given as RFC 8410 and RFC 8037 write them`() throws {
    let key = PublicKeyFormats(raw: bytes(hex: Self.vectors[0][1]))
    #expect(key.jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    #expect(key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
    #expect(key.jwk["kty"] == "OKP" && key.jwk["crv"] == "Ed25519")
    #expect(key.pem.hasPrefix("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA"))
    #expect(key.spki.count == 44 && Array(key.spki.suffix(32)) == key.raw)
  }

  @Test func `rotate: the new one signs, the old ones still verify`() throws {
    let state = try StateFixture()
    let store = try state.keys()
    let first = try store.create("k")
    #expect(code { _ = try store.create("k") } == "conflict.key")
    let old = try store.sign([1], with: "k")
    let second = try store.rotate("k")
    let new = try store.sign([1], with: "k")
    #expect(old.version == 1 && new.version == 2 && old.signature != new.signature)
    #expect(first.publicKey != second.publicKey)
    #expect(try store.verify(old.signature, over: [1], name: "k") == 1)
    #expect(try store.verify(new.signature, over: [1], name: "k") == 2)
    #expect(try store.verify(old.signature, over: [1], name: "k", version: 2) == nil)
    #expect(try store.list().map(\.canSign) == [false, true])
    #expect(try store.publicKey("k").version == 2)
    #expect(try store.publicKey("k", version: 1).publicKey == first.publicKey)
    // The old private half is gone from the disk.
    let sealed = try state.connect().run(
      "SELECT count(*) FROM signing_key WHERE sealed IS NOT NULL")
    #expect(sealed[0][0] == 1)
    #expect(try store.delete("k"))
    #expect(code { _ = try store.sign([1], with: "k") } == "not_found.key")
    #expect(code { _ = try store.rotate("k") } == "not_found.key")
    #expect(try store.create("k").version == 3)
  }

  @Test func `private halves leave by no door`() throws {
    let state = try StateFixture()
    let seed = bytes(hex: Self.vectors[0][0])
    let store = try state.keys(random: { _ in seed })
    _ = try store.create("k")
    _ = try store.sign([1], with: "k")
    #expect(state.bytesOnDisk().range(of: Data(seed)) == nil)
    let service = KeyService(store: store, rate: SigningRate(), nowNanoseconds: { 0 })
    let hex = Self.vectors[0][0]
    let base64 = Data(seed).base64EncodedString()
    for method in ["keys.publicKey", "keys.list", "keys.sign", "keys.rotate", "keys.delete"] {
      let answer = try service.answer(method, ["name": "k"], body: [])
      #expect(answer.body.count <= 64 && Data(answer.body).range(of: Data(seed)) == nil)
      #expect(!answer.result.text.contains(base64) && !answer.result.text.contains(hex))
    }
    for method in ["keys.privateKey", "keys.export", "keys.get"] {
      #expect(code { _ = try service.answer(method, ["name": "k"], body: []) } == "method")
    }
    // Another app with the same file has other keys.
    _ = try store.create("k")
    #expect(
      code { _ = try state.keys(app: "org.example.b").sign([1], with: "k") } == "internal.sealing")
  }

  @Test func `are asked for by method`() throws {
    let state = try StateFixture()
    let service = KeyService(store: try state.keys(), rate: SigningRate(), nowNanoseconds: { 0 })
    let made = try service.answer("keys.create", ["name": "k"], body: []).result
    let message = Array("hello".utf8)
    let signature = try service.answer("keys.sign", ["name": "k"], body: message).body
    let good = try service.answer("keys.verify", ["name": "k"], body: signature + message).result
    #expect(good == ["valid": true, "version": 1])
    let other = try service.answer("keys.verify", ["name": "k"], body: signature + [1]).result
    #expect(other == ["valid": false, "version": nil])
    let foreign = try service.answer(
      "keys.verify", ["publicKey": made["raw"] ?? nil], body: signature + message
    ).result
    #expect(foreign == ["valid": true])
    #expect(code { _ = try service.answer("keys.verify", ["name": "k"], body: [1]) } == "params")
    #expect(
      code { _ = try service.answer("keys.verify", ["publicKey": "AA=="], body: signature) }
        == "params")
    #expect(
      code { _ = try service.answer("keys.sign", ["name": "no"], body: []) } == "not_found.key")
  }

  @Test func `sign so often and no more`() throws {
    let state = try StateFixture()
    let store = try state.keys()
    _ = try store.create("k")
    var now: Int64 = 0
    let service = KeyService(
      store: store, rate: SigningRate(perSecond: 10, burst: 3), nowNanoseconds: { now })
    for _ in 0..<3 { _ = try service.answer("keys.sign", ["name": "k"], body: [1]) }
    #expect(
      code { _ = try service.answer("keys.sign", ["name": "k"], body: [1]) } == "overloaded.signing"
    )
    now += 99_000_000
    #expect(
      code { _ = try service.answer("keys.sign", ["name": "k"], body: [1]) } == "overloaded.signing"
    )
    now += 1_000_000
    #expect(code { _ = try service.answer("keys.sign", ["name": "k"], body: [1]) } == nil)
    // Verifying is free.
    #expect(
      try service.answer("keys.verify", ["name": "k"], body: [UInt8](repeating: 0, count: 64))
        .result["valid"] == false)
  }

  @Test func `the rate says how long to wait, and holds with any clock`() {
    var rate = SigningRate(perSecond: 10, burst: 1)
    #expect(rate.take(nowNanoseconds: 5) == nil)
    #expect(rate.take(nowNanoseconds: 5) == 100)
    #expect(rate.take(nowNanoseconds: 50_000_005) == 50)
    // Backwards is no time at all, a year is a full bucket.
    #expect(rate.take(nowNanoseconds: 0) == 50)
    #expect(rate.take(nowNanoseconds: 31_536_000_000_000_000) == nil)
    #expect(rate.take(nowNanoseconds: 31_536_000_000_000_000) == 100)
  }
}
