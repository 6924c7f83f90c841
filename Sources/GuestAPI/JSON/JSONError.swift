// SPDX-License-Identifier: Apache-2.0

/// Why some bytes are not the JSON this project accepts, and where.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Reason: String, Sendable {
    case unexpectedEnd = "the text ends too early"
    case unexpectedByte = "unexpected character"
    case trailingBytes = "something follows the value"
    case tooDeep = "nested too deep"
    case tooManyValues = "too many values"
    case duplicateKey = "a key stands twice"
    case invalidNumber = "not a JSON number"
    case numberOutOfRange = "a number out of range"
    case invalidEscape = "not a JSON escape"
    case invalidUTF8 = "not UTF-8"
    case controlCharacter = "a control character in a string"
    case loneSurrogate = "half a surrogate pair"
  }

  public var reason: Reason
  /// Byte offset in the text.
  public var offset: Int
  /// The key that stands twice, if that is the reason.
  public var key: String?

  /// Of a key that stands twice no more than its beginning is shown: a log line must not grow with what a guest sent.
  public var description: String {
    let shown = key.map { key in
      let start = key.unicodeScalars.prefix(64)
      return " (\"\(String(start))\(start.endIndex < key.endIndex ? "…" : "")\")"
    }
    return "\(reason.rawValue)\(shown ?? "") at byte \(offset)"
  }
}
