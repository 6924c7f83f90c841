// SPDX-License-Identifier: Apache-2.0

/// Whether a path may be reached without sign-on. Pure.
package enum PublicPaths {
  /// A pattern is a path, or a path's beginning and a `*`: `/hooks/*` covers `/hooks/` and all beneath it.
  ///
  /// A path that an app might read as another one is never public: with `/../`, `//`, an encoding, a backslash or a
  /// path parameter in it, `/hooks/x` could lead out of `/hooks/`.
  package static func contain(_ target: UnsafeRawBufferPointer, _ patterns: [String]) -> Bool {
    guard !patterns.isEmpty else { return false }
    let end = target.firstIndex(of: ASCII.question) ?? target.count
    let path = UnsafeRawBufferPointer(rebasing: target[..<end])
    guard isPlain(path) else { return false }
    return patterns.contains { pattern in
      let text = pattern.utf8
      guard text.last == UInt8(ascii: "*") else { return path.elementsEqual(text) }
      return path.starts(with: text.dropLast())
    }
  }

  private static func isPlain(_ path: UnsafeRawBufferPointer) -> Bool {
    guard path.first == ASCII.slash else { return false }
    var segmentStart = 1
    for index in 1...path.count {
      if index < path.count {
        let byte = path[index]
        guard byte != ASCII.percent, byte != UInt8(ascii: "\\"), byte != UInt8(ascii: ";"),
          byte < 0x80
        else { return false }
        guard byte == ASCII.slash else { continue }
      }
      let segment = path[segmentStart..<index]
      let isLast = index == path.count
      if segment.isEmpty && !isLast { return false }
      if segment.count <= 2, !segment.isEmpty, segment.allSatisfy({ $0 == ASCII.dot }) {
        return false
      }
      segmentStart = index + 1
    }
    return true
  }
}
