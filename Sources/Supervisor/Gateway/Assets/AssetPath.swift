// SPDX-License-Identifier: Apache-2.0

/// The file a request's path may mean, relative to an app's `www`; nil where it cannot mean one. Such a request goes to
/// the app, which sees the target as the client sent it.
package enum AssetPath {
  /// Longest path looked up, in bytes.
  package static let bytesMax = 1024

  /// Decodes once. What could mean different files to different readers means none here: an encoded slash, a
  /// backslash, a NUL or other control character, `.`, `..` and empty segments. Names that begin with a dot are hidden, all but `/.well-known/` (RFC 8615).
  ///
  /// - Returns: the path without its first slash; a path that ends in a slash gets `index.html`.
  package static func read(_ target: UnsafeRawBufferPointer) -> String? {
    let end = target.firstIndex(of: ASCII.question) ?? target.count
    guard end > 0, end <= bytesMax, target[0] == ASCII.slash else { return nil }
    let path = UnsafeRawBufferPointer(rebasing: target[1..<end])
    let index: StaticString = path.isEmpty || path.last == ASCII.slash ? "index.html" : ""
    var isValid = true
    var isASCII = true
    let text = String(unsafeUninitializedCapacity: path.count + index.utf8CodeUnitCount) { out in
      guard var count = decode(path, into: out, isASCII: &isASCII) else {
        isValid = false
        return 0
      }
      for offset in 0..<index.utf8CodeUnitCount {
        out[count] = index.utf8Start[offset]
        count += 1
      }
      return count
    }
    // The initialiser repairs what is not UTF-8; a replacement character would then name another file.
    guard isValid, isASCII || !text.unicodeScalars.contains("\u{FFFD}") else { return nil }
    return text
  }

  private static func decode(
    _ path: UnsafeRawBufferPointer, into out: UnsafeMutableBufferPointer<UInt8>,
    isASCII: inout Bool
  ) -> Int? {
    var (count, at) = (0, 0)
    var isSegmentStart = true
    let isWellKnown = ASCII.begins(path, ".well-known/")
    while at < path.count {
      var byte = path[at]
      at += 1
      let isEncoded = byte == ASCII.percent
      if isEncoded {
        guard at + 1 < path.count, let high = ASCII.hexValue(path[at]),
          let low = ASCII.hexValue(path[at + 1])
        else { return nil }
        byte = high << 4 | low
        at += 2
      }
      let isSlash = byte == ASCII.slash
      guard byte >= ASCII.space, byte != 0x7f, byte != UInt8(ascii: "\\"),
        !(isSlash && (isEncoded || isSegmentStart)),
        !(isSegmentStart && byte == ASCII.dot) || (count == 0 && isWellKnown)
      else { return nil }
      if byte > 0x7f { isASCII = false }
      out[count] = byte
      count += 1
      isSegmentStart = isSlash
    }
    return count
  }
}
