// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

@Suite("Chunks of rows") struct RowChunksTests {
  static let rows: [[RowValue]] = [
    [.null, .integer(.min), .real(-0.0), .text([0xc3, 0x28, 0]), .blob([])],
    [.null, .integer(.max), .real(.infinity), .text([]), .blob([0, 255])],
    [.integer(0), .text([0x61]), .null, .blob([1]), .real(0.1)],
  ]

  @Test("come back as they went in, wherever the pieces end", arguments: [1, 2, 7, 64, 1 << 20])
  func roundTrip(size: Int) throws {
    let bytes = RowChunks.encode(Self.rows) + RowChunks.encode([]) + RowChunks.encode(Self.rows)
    var chunks = RowChunks()
    var found: [[RowValue]] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      found += try chunks.receive(bytes[start..<min(start + size, bytes.count)])
    }
    #expect(found == Self.rows + Self.rows)
    #expect(found[0][2] == .real(-0.0) && !chunks.isMidChunk)
    _ = try chunks.receive(bytes.prefix(5))
    #expect(chunks.isMidChunk)
  }

  @Test("of one kind are read as the worker writes them")
  func uniform() throws {
    var chunks = RowChunks()
    let bytes: [UInt8] =
      [8 + 1 + 17 + 10, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0]
      + [1, 5, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]
      + [3, 1, 0, 0, 0, 0, 0, 0, 0, 0x62]
    #expect(
      try chunks.receive(bytes)
        == [[.null, .integer(5), .text([0x62])], [.null, .integer(-1), .text([])]])
  }

  @Test("that lie about themselves are refused, whatever byte is changed")
  func lies() throws {
    let sound = RowChunks.encode(Self.rows)
    var refused = 0
    for index in sound.indices {
      for value: UInt8 in [0, 5, 6, 255] where sound[index] != value {
        var changed = sound
        changed[index] = value
        var chunks = RowChunks()
        do throws(RowChunks.Flaw) { _ = try chunks.receive(changed) } catch { refused += 1 }
      }
    }
    #expect(refused > 20)
  }

  @Test(
    "that would take memory for nothing are refused",
    arguments: [
      // Rows without columns; a million rows of NULL; a chunk past the bound.
      [8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], [9, 0, 0, 0, 64, 66, 15, 0, 1, 0, 0, 0, 0],
      [0, 0, 0, 2], [3, 0, 0, 0, 0, 0, 0], [9, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 0],
    ] as [[UInt8]])
  func bounds(bytes: [UInt8]) {
    var chunks = RowChunks()
    #expect(throws: RowChunks.Flaw.self) { try chunks.receive(bytes) }
  }
}
