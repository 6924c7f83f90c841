// SPDX-License-Identifier: Apache-2.0

/// Bytes that tell where in a body they belong: a piece lost, doubled or swapped shows.
enum Pattern {
  private static let period = 1 << 20
  private static let twice: [UInt8] = {
    var random = SeededNumbers(seed: 42)
    let once = (0..<period / 8).flatMap { _ in
      withUnsafeBytes(of: random.next()) { Array($0) }
    }
    return once + once
  }()

  static func bytes(from start: Int = 0, count: Int) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(count)
    var at = start
    while out.count < count {
      let offset = at % period
      let piece = min(count - out.count, period)
      out += twice[offset..<offset + piece]
      at += piece
    }
    return out
  }
}
