// SPDX-License-Identifier: Apache-2.0

/// The one JSON parser for bytes from outside: RFC 8259, strict and bounded.
///
/// Refused beyond the grammar: duplicate keys, nesting over `Limits.depth`, more than `Limits.values` values, integers
/// outside int64, numbers that overflow a double, lone surrogates, invalid UTF-8, a byte order mark and anything
/// after the value. Two parsers that read the same bytes differently are a way round every permission check, so
/// there is only this one (design §3.11).
public struct JSONParser {
  public struct Limits: Sendable, Equatable {
    /// How deep arrays and objects may nest.
    public var depth: Int
    /// How many values there may be in all, containers and scalars.
    public var values: Int
    public init(depth: Int = 32, values: Int = 65_536) {
      self.depth = depth
      self.values = values
    }
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private let limits: Limits
  private var at = 0
  private var values = 0

  private init(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: Limits) {
    self.bytes = bytes
    self.limits = limits
  }

  /// Parses exactly one value that fills the buffer, white space aside.
  public static func parse(
    _ bytes: UnsafeRawBufferPointer, limits: Limits = Limits()
  ) throws(JSONError) -> JSONValue {
    // The buffer is read as bytes only for the length of this call.
    let typed = UnsafeBufferPointer(
      start: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    var parser = JSONParser(typed, limits)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.at == typed.count else { throw parser.error(.trailingBytes) }
    return value
  }

  public static func parse(
    _ bytes: [UInt8], limits: Limits = Limits()
  ) throws(JSONError) -> JSONValue {
    // `withUnsafeBytes` cannot pass a typed error through, so the outcome travels as a value.
    let outcome: Result<JSONValue, JSONError> = bytes.withUnsafeBytes { buffer in
      do throws(JSONError) {
        return .success(try parse(buffer, limits: limits))
      } catch {
        return .failure(error)
      }
    }
    return try outcome.get()
  }

  public static func parse(
    _ text: String, limits: Limits = Limits()
  ) throws(JSONError) -> JSONValue {
    try parse(Array(text.utf8), limits: limits)
  }
}

extension JSONParser {
  private func error(_ reason: JSONError.Reason, key: String? = nil) -> JSONError {
    JSONError(reason: reason, offset: at, key: key)
  }

  private mutating func skipSpace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x0a, 0x0d, 0x09: at += 1
      default: return
      }
    }
  }

  /// The next byte that is not white space, not consumed.
  private mutating func peek() throws(JSONError) -> UInt8 {
    skipSpace()
    guard at < bytes.count else { throw error(.unexpectedEnd) }
    return bytes[at]
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    values += 1
    guard values <= limits.values else { throw error(.tooManyValues) }
    switch try peek() {
    case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
    case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw error(.unexpectedByte)
    }
  }

  private mutating func word(
    _ text: StaticString, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    let count = text.utf8CodeUnitCount
    guard at + count <= bytes.count else { throw error(.unexpectedEnd) }
    for index in 0..<count where bytes[at + index] != text.utf8Start[index] {
      throw error(.unexpectedByte)
    }
    at += count
    return value
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    guard depth <= limits.depth else { throw error(.tooDeep) }
    at += 1
    var elements: [JSONValue] = []
    if try peek() == UInt8(ascii: "]") {
      at += 1
      return elements
    }
    while true {
      elements.append(try value(depth: depth))
      switch try peek() {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "]"):
        at += 1
        return elements
      default: throw error(.unexpectedByte)
      }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
    guard depth <= limits.depth else { throw error(.tooDeep) }
    at += 1
    var object = JSONObject()
    // A linear look is fastest for the few keys of a real message; past that a set keeps the cost linear in all.
    var seen: Set<ExactText> = []
    if try peek() == UInt8(ascii: "}") {
      at += 1
      return object
    }
    while true {
      guard try peek() == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
      let key = try string()
      let isDuplicate: Bool
      if object.members.count < 8 {
        isDuplicate = object.members.contains { $0.key.hasSameBytes(as: key) }
      } else {
        if seen.isEmpty { seen = Set(object.members.map { ExactText(text: $0.key) }) }
        isDuplicate = !seen.insert(ExactText(text: key)).inserted
      }
      guard !isDuplicate else { throw error(.duplicateKey, key: key) }
      guard try peek() == UInt8(ascii: ":") else { throw error(.unexpectedByte) }
      at += 1
      object.members.append((key, try value(depth: depth)))
      switch try peek() {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "}"):
        at += 1
        return object
      default: throw error(.unexpectedByte)
      }
    }
  }
}

extension JSONParser {
  private mutating func digits() throws(JSONError) {
    let start = at
    while at < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) { at += 1 }
    guard at > start else { throw error(at < bytes.count ? .invalidNumber : .unexpectedEnd) }
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = at
    var isInteger = true
    if bytes[at] == UInt8(ascii: "-") { at += 1 }
    let firstDigit = at
    try digits()
    if bytes[firstDigit] == UInt8(ascii: "0"), at - firstDigit > 1 { throw error(.invalidNumber) }
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      isInteger = false
      at += 1
      try digits()
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") {
        at += 1
      }
      try digits()
    }
    if isInteger { return .int(try integer(start: start, firstDigit: firstDigit)) }
    let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
    guard let value = Double(text), value.isFinite else { throw error(.numberOutOfRange) }
    return .double(value)
  }

  /// Accumulates below zero, where int64 reaches one further than above.
  private func integer(start: Int, firstDigit: Int) throws(JSONError) -> Int64 {
    var value: Int64 = 0
    for index in firstDigit..<at {
      let (tens, tensOverflow) = value.multipliedReportingOverflow(by: 10)
      let (next, overflow) = tens.subtractingReportingOverflow(
        Int64(bytes[index] - UInt8(ascii: "0")))
      guard !tensOverflow, !overflow else { throw error(.numberOutOfRange) }
      value = next
    }
    if firstDigit > start { return value }
    guard value != .min else { throw error(.numberOutOfRange) }
    return -value
  }

  private mutating func string() throws(JSONError) -> String {
    at += 1
    let start = at
    // The common case: no escape. The bytes become a string in one copy, validated unless they are ASCII.
    var all: UInt8 = 0
    while at < bytes.count {
      let byte = bytes[at]
      all |= byte
      if byte == UInt8(ascii: "\"") {
        let slice = UnsafeBufferPointer(rebasing: bytes[start..<at])
        let text = all < 0x80 ? String(decoding: slice, as: UTF8.self) : try validated(slice)
        at += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
      guard byte >= 0x20 else { throw error(.controlCharacter) }
      at += 1
    }
    throw error(.unexpectedEnd)
  }

  private func validated(_ slice: UnsafeBufferPointer<UInt8>) throws(JSONError) -> String {
    guard let text = String(validating: slice, as: UTF8.self) else { throw error(.invalidUTF8) }
    return text
  }

  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var out = Array(bytes[start..<at])
    while at < bytes.count {
      let byte = bytes[at]
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: out, as: UTF8.self) else { throw error(.invalidUTF8) }
        at += 1
        return text
      case UInt8(ascii: "\\"):
        at += 1
        try escape(into: &out)
      case 0..<0x20: throw error(.controlCharacter)
      default:
        out.append(byte)
        at += 1
      }
    }
    throw error(.unexpectedEnd)
  }

  private mutating func escape(into out: inout [UInt8]) throws(JSONError) {
    guard at < bytes.count else { throw error(.unexpectedEnd) }
    let byte = bytes[at]
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
    case UInt8(ascii: "b"): out.append(0x08)
    case UInt8(ascii: "f"): out.append(0x0c)
    case UInt8(ascii: "n"): out.append(0x0a)
    case UInt8(ascii: "r"): out.append(0x0d)
    case UInt8(ascii: "t"): out.append(0x09)
    case UInt8(ascii: "u"):
      var scalar = try hex4()
      if (0xd800...0xdbff).contains(scalar) {
        guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
          bytes[at + 1] == UInt8(ascii: "u")
        else { throw error(.loneSurrogate) }
        at += 2
        let low = try hex4()
        guard (0xdc00...0xdfff).contains(low) else { throw error(.loneSurrogate) }
        scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let unicode = Unicode.Scalar(scalar) else { throw error(.loneSurrogate) }
      out.append(contentsOf: UTF8.encode(unicode).unsafelyUnwrapped)
    default: throw error(.invalidEscape)
    }
  }

  private mutating func hex4() throws(JSONError) -> UInt32 {
    guard at + 4 <= bytes.count else { throw error(.unexpectedEnd) }
    var value: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch bytes[at] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = bytes[at] - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = bytes[at] - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = bytes[at] - UInt8(ascii: "A") + 10
      default: throw error(.invalidEscape)
      }
      value = value << 4 | UInt32(digit)
      at += 1
    }
    return value
  }
}
