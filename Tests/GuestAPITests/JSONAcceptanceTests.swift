// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import Testing

/// A text and what the parser must make of it.
struct JSONCase: Sendable, CustomTestStringConvertible {
  var bytes: [UInt8]
  var value: JSONValue?
  var reason: JSONError.Reason?

  static func yes(_ text: String, _ value: JSONValue) -> JSONCase {
    JSONCase(bytes: Array(text.utf8), value: value)
  }
  static func no(_ text: String, _ reason: JSONError.Reason) -> JSONCase {
    JSONCase(bytes: Array(text.utf8), reason: reason)
  }
  static func no(_ bytes: [UInt8], _ reason: JSONError.Reason) -> JSONCase {
    JSONCase(bytes: bytes, reason: reason)
  }
  /// Bytes between the quotes of one string.
  static func noString(_ bytes: [UInt8], _ reason: JSONError.Reason) -> JSONCase {
    JSONCase(bytes: [0x22] + bytes + [0x22], reason: reason)
  }

  var testDescription: String {
    String(String(decoding: bytes.prefix(48), as: UTF8.self).unicodeScalars.map(Self.visible))
  }
  private static func visible(_ scalar: Unicode.Scalar) -> Character {
    scalar.value < 0x20 || scalar.value == 0x7f ? "·" : Character(scalar)
  }
}

@Suite("JSON: what is accepted and what is refused")
struct JSONAcceptanceTests {
  @Test("accepted, and read as meant", arguments: structures + numbers + strings)
  func accepts(text: JSONCase) throws {
    #expect(try JSONParser.parse(text.bytes) == text.value)
  }

  @Test(
    "refused, for the reason",
    arguments: brokenStructures + brokenNumbers + brokenStrings + brokenBytes)
  func refuses(text: JSONCase) throws {
    let error = #expect(throws: JSONError.self) { try JSONParser.parse(text.bytes) }
    #expect(error?.reason == text.reason)
    #expect((0...text.bytes.count).contains(error?.offset ?? -1))
  }

  static let structures: [JSONCase] = [
    .yes("{}", [:]), .yes("[]", []), .yes("null", nil), .yes("true", true), .yes("false", false),
    .yes(" \t\r\n{ \"a\" :\n[ ] , \"b\" : { } } \n", ["a": [], "b": [:]]),
    .yes("[1,[2,[3,{\"a\":[null]}]]]", [1, [2, [3, ["a": [nil]]]]]),
    .yes("{\"\":0}", ["": 0]), .yes("{\"a\":1,\"A\":2}", ["a": 1, "A": 2]),
    // One letter in two spellings: different bytes, so different keys, as everywhere else.
    .yes("{\"\u{e9}\":1,\"e\u{301}\":2}", ["\u{e9}": 1, "e\u{301}": 2]),
    .yes("{\"K\":1,\"\u{212a}\":2}", ["K": 1, "\u{212a}": 2]),
  ]

  static let numbers: [JSONCase] = [
    .yes("0", 0), .yes("-0", 0), .yes("-1", -1), .yes("10", 10),
    .yes("9007199254740993", 9_007_199_254_740_993),
    .yes("9223372036854775807", .int(.max)), .yes("-9223372036854775808", .int(.min)),
    .yes("1.0", 1.0), .yes("-0.0", .double(-0.0)), .yes("0e0", 0.0), .yes("0E+0", 0.0),
    .yes("1e2", 100.0), .yes("1E-2", 0.01), .yes("123.456e+3", 123456.0),
    .yes("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
    .yes("5e-324", .double(.leastNonzeroMagnitude)),
    // Too small for a double is nearest to zero: a loss of precision, not of range (RFC 8259 §6).
    .yes("1e-400", 0.0), .yes("9223372036854775808.0", 9.223372036854775808e18),
    .yes("0.1", 0.1), .yes("[1,1.0]", [1, 1.0]),
  ]

  static let strings: [JSONCase] = [
    .yes(#""""#, ""), .yes(#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
    .yes(#""\u0041\u00e9\u20AC""#, "Aé€"), .yes(#""\ud83d\ude00""#, "😀"),
    .yes(#""\uDBFF\uDFFF""#, "\u{10ffff}"),
    .yes("\"\u{7f}\u{2028}\u{feff}\"", "\u{7f}\u{2028}\u{feff}"),
    .yes(#""a\u0000b""#, "a\u{0}b"), .yes("\"e\u{301}\"", "e\u{301}"),
    .yes("\"\u{ffff}\u{10fffe}\"", "\u{ffff}\u{10fffe}"),
  ]

  static let brokenStructures: [JSONCase] = [
    .no("", .unexpectedEnd), .no(" \n", .unexpectedEnd), .no("{", .unexpectedEnd),
    .no("[", .unexpectedEnd), .no("[1", .unexpectedEnd), .no("[1,", .unexpectedEnd),
    .no("{\"a\"", .unexpectedEnd), .no("{\"a\":", .unexpectedEnd), .no("{\"a\":1", .unexpectedEnd),
    .no("[1,]", .unexpectedByte), .no("[,1]", .unexpectedByte), .no("[1 2]", .unexpectedByte),
    .no("{\"a\":1,}", .unexpectedByte), .no("{,}", .unexpectedByte), .no("{a:1}", .unexpectedByte),
    .no("{'a':1}", .unexpectedByte), .no("{\"a\" 1}", .unexpectedByte),
    .no("{1:1}", .unexpectedByte), .no("{null:1}", .unexpectedByte), .no("]", .unexpectedByte),
    .no("[}", .unexpectedByte), .no("[1}", .unexpectedByte), .no("{]", .unexpectedByte),
    .no("{\"a\":1]", .unexpectedByte), .no("nul", .unexpectedEnd), .no("nulL", .unexpectedByte),
    .no("True", .unexpectedByte), .no("NaN", .unexpectedByte), .no("Infinity", .unexpectedByte),
    .no("undefined", .unexpectedByte), .no("/* */ 1", .unexpectedByte),
    .no("// 1", .unexpectedByte),
    .no("{}{}", .trailingBytes), .no("{} x", .trailingBytes), .no("1 1", .trailingBytes),
    .no("nullnull", .trailingBytes), .no("[]\u{0}", .trailingBytes),
    .no("{\"a\":1,\"a\":2}", .duplicateKey), .no("{\"a\":1,\"a\":1}", .duplicateKey),
    .no(#"{"a":1,"\u0061":2}"#, .duplicateKey), .no(#"{"\/":1,"/":2}"#, .duplicateKey),
    .no("{\"\":1,\"\":2}", .duplicateKey), .no("{\"x\":{\"a\":1,\"a\":2}}", .duplicateKey),
    .no("\u{a0}1", .unexpectedByte), .no("\u{c}1", .unexpectedByte), .no("\u{b}1", .unexpectedByte),
  ]

  static let brokenNumbers: [JSONCase] = [
    .no("01", .invalidNumber), .no("-01", .invalidNumber), .no("00", .invalidNumber),
    .no("-", .unexpectedEnd), .no("--1", .invalidNumber), .no("+1", .unexpectedByte),
    .no(".5", .unexpectedByte), .no("-.5", .invalidNumber), .no("1.", .unexpectedEnd),
    .no("[1.]", .invalidNumber), .no("1.e1", .invalidNumber), .no("1e", .unexpectedEnd),
    .no("[1e+]", .invalidNumber), .no("1e1.5", .trailingBytes), .no("0x1", .trailingBytes),
    .no("1_000", .trailingBytes), .no("1a", .trailingBytes), .no("-Infinity", .invalidNumber),
    .no("1e400", .numberOutOfRange), .no("-1e400", .numberOutOfRange),
    .no("1.8e308", .numberOutOfRange), .no("9223372036854775808", .numberOutOfRange),
    .no("-9223372036854775809", .numberOutOfRange),
    .no("18446744073709551616", .numberOutOfRange),
    .no("100000000000000000000000000000", .numberOutOfRange), .no("\u{661}", .unexpectedByte),
  ]

  static let brokenStrings: [JSONCase] = [
    .no("\"", .unexpectedEnd), .no("\"a", .unexpectedEnd), .no("\"\\", .unexpectedEnd),
    .no("\"\\\"", .unexpectedEnd), .no(#""\u12"#, .unexpectedEnd), .no(#""\x41""#, .invalidEscape),
    .no(#""\a""#, .invalidEscape), .no(#""\U0041""#, .invalidEscape), .no(#""\'""#, .invalidEscape),
    .no(#""\u00g0""#, .invalidEscape), .no(#""\u+041""#, .invalidEscape),
    .no(#""\ud800""#, .loneSurrogate), .no(#""\ud800a""#, .loneSurrogate),
    .no(#""\ud800\n""#, .loneSurrogate), .no(#""\ud800\u0041""#, .loneSurrogate),
    .no(#""\ud800\ud800""#, .loneSurrogate), .no(#""\udc00""#, .loneSurrogate),
    .no(#""\udc00\ud800""#, .loneSurrogate), .no("\"\t\"", .controlCharacter),
    .no("\"\n\"", .controlCharacter), .no("\"\u{0}\"", .controlCharacter),
    .no("\"\\n\u{1f}\"", .controlCharacter), .no("{\"a\u{0}\":1}", .controlCharacter),
  ]

  static let brokenBytes: [JSONCase] = [
    .no([0xef, 0xbb, 0xbf, 0x7b, 0x7d], .unexpectedByte),  // a byte order mark
    .no([0xff, 0xfe, 0x7b, 0x00], .unexpectedByte),  // UTF-16
    .no([0x00], .unexpectedByte), .no([0x7b, 0x00, 0x7d], .unexpectedByte),
    .noString([0x80], .invalidUTF8), .noString([0xff], .invalidUTF8),
    .noString([0xc0, 0xaf], .invalidUTF8),  // overlong "/"
    .noString([0xc1, 0xbf], .invalidUTF8), .noString([0xe0, 0x80, 0xaf], .invalidUTF8),
    .noString([0xf0, 0x80, 0x80, 0xaf], .invalidUTF8),
    .noString([0xc0, 0x80], .invalidUTF8),  // overlong NUL
    .noString([0xed, 0xa0, 0x80], .invalidUTF8),  // a surrogate in UTF-8
    .noString([0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], .invalidUTF8),  // CESU-8
    .noString([0xf4, 0x90, 0x80, 0x80], .invalidUTF8),  // past U+10FFFF
    .noString([0xf8, 0x88, 0x80, 0x80, 0x80], .invalidUTF8),
    .noString([0xc3], .invalidUTF8), .noString([0xe2, 0x82], .invalidUTF8),
    .noString([0xf0, 0x9f, 0x98], .invalidUTF8), .noString([0xe9], .invalidUTF8),
    .noString([0x5c, 0x6e, 0xc3], .invalidUTF8),  // after an escape, on the other path
    .noString([0x5c, 0x6e, 0xc0, 0xaf], .invalidUTF8),
    .no([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d], .invalidUTF8),
  ]
}
