// SPDX-License-Identifier: Apache-2.0

/// Where a line that is too long is cut: never within a character of UTF-8.
enum LineCut {
  /// The text in pieces of at most `LogBounds.lineBytesMax` bytes; at least one.
  static func cut(_ text: String) -> [String] {
    guard text.utf8.count > LogBounds.lineBytesMax else { return [text] }
    var rest = Array(text.utf8)[...]
    var pieces: [String] = []
    while rest.count > LogBounds.lineBytesMax {
      let count = wholePrefix(of: rest.prefix(LogBounds.lineBytesMax))
      pieces.append(String(decoding: rest.prefix(count), as: UTF8.self))
      rest = rest.dropFirst(count)
    }
    pieces.append(String(decoding: rest, as: UTF8.self))
    return pieces
  }

  /// How many bytes there are before a character that is not complete; all of them if none is begun.
  static func wholePrefix(of bytes: ArraySlice<UInt8>) -> Int {
    // A character has at most four bytes: its beginning is among the last three, or it is complete.
    for back in 1...3 where back <= bytes.count {
      let byte = bytes[bytes.endIndex - back]
      if byte & 0xc0 == 0x80 { continue }
      let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
      return length > back && back < bytes.count ? bytes.count - back : bytes.count
    }
    return bytes.count
  }
}
