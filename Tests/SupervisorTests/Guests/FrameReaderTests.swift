// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import NIOCore
import Supervisor
import Testing

@Suite("FrameReader: the host's reader and the contract's decoder agree")
struct FrameReaderTests {
  private enum Outcome: Equatable {
    case frame(JSONValue, [UInt8])
    case violation(ProtocolViolation)
  }

  private func read(_ pieces: [[UInt8]]) -> (outcomes: [Outcome], isMidFrame: Bool) {
    var reader = FrameReader(limits: FrameLimits())
    var outcomes: [Outcome] = []
    for piece in pieces {
      reader.append(ByteBuffer(bytes: piece))
      do throws(ProtocolViolation) {
        while let frame = try reader.next() {
          outcomes.append(.frame(frame.json, Array(frame.body.readableBytesView)))
        }
      } catch {
        return (outcomes + [.violation(error)], false)
      }
    }
    return (outcomes, reader.isMidFrame)
  }

  private func decode(_ bytes: [UInt8]) -> (outcomes: [Outcome], isMidFrame: Bool) {
    var decoder = FrameDecoder()
    decoder.append(bytes)
    var outcomes: [Outcome] = []
    do throws(ProtocolViolation) {
      while let frame = try decoder.next() { outcomes.append(.frame(frame.json, frame.body)) }
    } catch {
      return (outcomes + [.violation(error)], false)
    }
    return (outcomes, decoder.isMidFrame)
  }

  @Test(
    "any traffic in any pieces: the same frames or the same violation",
    arguments: [1, 2, 3, 4] as [UInt64])
  func agree(seed: UInt64) {
    var random = SeededNumbers(seed: seed)
    for round in 0..<300 {
      var bytes: [UInt8] = []
      for number in 0..<Int.random(in: 1...6, using: &random) {
        let count = [0, 1, 100, 5_000, 70_000].randomElement(using: &random) ?? 0
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        bytes += Frame(["n": .int(Int64(number))], body: body).encoded
      }
      if round % 3 == 0 { bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 0x40 }
      if round % 5 == 0 {
        bytes.removeLast(Int.random(in: 0..<min(9, bytes.count), using: &random))
      }
      var pieces: [[UInt8]] = []
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = min(rest.count, Int.random(in: 1...90_000, using: &random))
        pieces.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      let (found, wanted) = (read(pieces), decode(bytes))
      #expect(found.outcomes == wanted.outcomes, "seed \(seed), round \(round)")
      #expect(found.isMidFrame == wanted.isMidFrame, "seed \(seed), round \(round)")
    }
  }

  @Test("a small body does not keep a large read alive")
  func smallBodies() throws {
    let filler = Frame(["filler": true], body: Array(repeating: 1, count: 200_000)).encoded
    var reader = FrameReader(limits: FrameLimits())
    var kept = 0
    for size in [0, 1, 100, 4_000] {
      reader.append(
        ByteBuffer(bytes: filler + Frame([:], body: Array(repeating: 2, count: size)).encoded))
      _ = try reader.next()
      let frame = try #require(try reader.next())
      #expect(frame.body.readableBytes == size)
      kept += frame.body.storageCapacity
    }
    #expect(kept < 16_384, "4,101 bytes of bodies keep \(kept) bytes of memory")
  }

  @Test("a large body is not copied")
  func largeBodies() throws {
    var reader = FrameReader(limits: FrameLimits())
    let bytes = ByteBuffer(bytes: Frame([:], body: Array(repeating: 2, count: 200_000)).encoded)
    reader.append(bytes)
    let frame = try #require(try reader.next())
    #expect(frame.body.storageCapacity == bytes.storageCapacity)
  }
}
