// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite("Frames: bytes, however they are split")
struct FrameTests {
  private static let frames: [Frame] = [
    Frame(["a": 1]), Frame([:]), Frame(["b": "é"], body: [1, 2, 3]),
    Frame(["c": []], body: Array(repeating: 7, count: 70_000)), Frame(["d": nil], body: [0]),
    Frame(["e": .string(String(repeating: "x", count: 3_000))]),
  ]

  @Test("any split of the bytes gives the same frames", arguments: [1, 2, 3, 4, 5] as [UInt64])
  func splits(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let bytes = Self.frames.flatMap(\.encoded)
    for _ in 0..<40 {
      var decoder = FrameDecoder()
      var found: [Frame] = []
      var at = 0
      let longest = [1, 9, 200, 5_000, bytes.count].randomElement(using: &random) ?? 1
      while at < bytes.count {
        let count = min(Int.random(in: 1...max(1, longest), using: &random), bytes.count - at)
        decoder.append(Array(bytes[at..<at + count]))
        at += count
        while let frame = try decoder.next() { found.append(frame) }
        if longest == 1, at > 2_000 { break }
      }
      if at == bytes.count {
        #expect(found == Self.frames, "seed \(seed)")
        #expect(!decoder.isMidFrame)
      } else {
        #expect(found == Array(Self.frames.prefix(found.count)), "seed \(seed)")
      }
    }
  }

  @Test("a header is eight bytes, big endian, and counts what the frame holds")
  func header() throws {
    #expect(Frame(["a": 1], body: [9, 8]).encoded.prefix(8) == [0, 0, 0, 13, 0, 0, 0, 7])
    let header = try FrameHeader(total: 13, jsonLength: 7, limits: .init())
    #expect(header == FrameHeader(jsonLength: 7, bodyLength: 2))
    #expect(header.bytes == [0, 0, 0, 13, 0, 0, 0, 7])
    #expect(
      FrameHeader(jsonLength: 262_144, bodyLength: 0x0a_0b_0c).bytes.prefix(4) == [0, 14, 11, 16])
  }

  @Test(
    "a length out of bounds is refused by the header alone",
    arguments: [
      (0, 0, .frameLength), (1, 1, .frameLength), (5, 1, .frameLength), (5, 2, .frameLength),
      (1_048_577, 2, .frameLength), (.max, 2, .frameLength), (0x7fff_ffff, .max, .frameLength),
      (6, 0, .frameJSONLength), (6, 1, .frameJSONLength), (6, 3, .frameJSONLength),
      (300_000, 262_145, .frameJSONLength), (1_048_576, .max, .frameJSONLength),
      (1_048_576, 0x8000_0000, .frameJSONLength), (20, 17, .frameJSONLength),
    ] as [(UInt32, UInt32, ProtocolViolation.Reason)])
  func lengthBounds(total: UInt32, json: UInt32, reason: ProtocolViolation.Reason) {
    let bytes = [total, json].flatMap { value in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }
    var decoder = FrameDecoder()
    decoder.append(bytes)
    let violation = #expect(throws: ProtocolViolation.self) { try decoder.next() }
    #expect(violation?.reason == reason)
  }

  @Test("the largest frame and the largest JSON part pass")
  func largest() throws {
    let limits = FrameLimits()
    let full = Frame([:], body: Array(repeating: 1, count: limits.frameBytes - 6))
    let json = JSONValue.string(String(repeating: "j", count: limits.jsonBytes - 8))
    let wide = Frame(["k": json])
    #expect(wide.json.encoded.count == limits.jsonBytes)
    var decoder = FrameDecoder()
    decoder.append(full.encoded)
    decoder.append(wide.encoded)
    #expect(try decoder.next() == full)
    #expect(try decoder.next() == wide)
    #expect(try decoder.next() == nil)
  }

  @Test("mid frame from its first byte to its last")
  func midFrame() throws {
    var decoder = FrameDecoder()
    #expect(!decoder.isMidFrame)
    for byte in Frame(["a": 1], body: [5]).encoded {
      #expect(try decoder.next() == nil)
      decoder.append([byte])
      #expect(decoder.isMidFrame)
    }
    #expect(try decoder.next() != nil)
    #expect(!decoder.isMidFrame)
  }

  @Test("JSON that is refused names its frame json.invalid, whatever follows")
  func badJSON() {
    var decoder = FrameDecoder()
    decoder.append(Frame.encode(json: Array("{\"a\":1,\"a\":2}".utf8), body: [1]))
    decoder.append(Frame([:]).encoded)
    let violation = #expect(throws: ProtocolViolation.self) { try decoder.next() }
    #expect(violation?.reason == .jsonInvalid)
  }

  @Test("other limits are kept to")
  func ownLimits() throws {
    var limits = FrameLimits()
    limits.frameBytes = 64
    limits.jsonBytes = 16
    limits.json.depth = 1
    var decoder = FrameDecoder(limits: limits)
    decoder.append(Frame(["a": 1], body: Array(repeating: 0, count: 53)).encoded)
    #expect(try decoder.next() != nil)
    decoder.append(Frame(["a": [1]]).encoded)
    #expect(throws: ProtocolViolation.self) { try decoder.next() }
    var other = FrameDecoder(limits: limits)
    other.append(Frame(["a": 1], body: Array(repeating: 0, count: 54)).encoded)
    #expect(throws: ProtocolViolation.self) { try other.next() }
  }
}
