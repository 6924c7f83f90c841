// SPDX-License-Identifier: Apache-2.0

import GuestAPI

/// What is wrong with one value.
struct Flaw: Error {
  var reason: String
  var suggestion: String?

  init(_ reason: String, _ suggestion: String? = nil) {
    self.reason = reason
    self.suggestion = suggestion
  }
}

/// How one JSON value becomes a value of the manifest, or why it cannot.
struct ValueRule<Value> {
  var read: (JSONValue) throws(Flaw) -> Value

  /// A further condition, or a conversion.
  func then<Next>(_ next: @escaping (Value) throws(Flaw) -> Next) -> ValueRule<Next> {
    let read = self.read
    return ValueRule<Next> { (json) throws(Flaw) in try next(try read(json)) }
  }

  /// The same, where "absent" is a value too.
  var optional: ValueRule<Value?> { then { (value) throws(Flaw) in value } }
}

extension ValueRule where Value == Bool {
  static var bool: Self {
    Self { (json) throws(Flaw) in
      guard let value = json.bool else { throw Flaw("is \(json.typeName), expected true or false") }
      return value
    }
  }
}

extension ValueRule where Value == Int64 {
  static func integer(_ range: ClosedRange<Int64>) -> Self {
    Self { (json) throws(Flaw) in
      guard let value = json.int else { throw Flaw("is \(json.typeName), expected a whole number") }
      guard range.contains(value) else {
        throw Flaw("is \(value), allowed are \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
  }
}

extension ValueRule where Value == Int {
  static func count(_ range: ClosedRange<Int>) -> Self {
    ValueRule<Int64>.integer(Int64(range.lowerBound)...Int64(range.upperBound))
      .then { (value) throws(Flaw) in Int(value) }
  }

  /// Cores as a number, kept as thousandths.
  static func cores(_ range: ClosedRange<Int>) -> Self {
    Self { (json) throws(Flaw) in
      guard let cores = json.number else {
        throw Flaw("is \(json.typeName), expected a number of cores", "write it as 0.5")
      }
      let thousandths = (cores * 1_000).rounded()
      guard thousandths >= Double(range.lowerBound), thousandths <= Double(range.upperBound) else {
        throw Flaw(
          "is \(cores) cores, allowed are \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))"
        )
      }
      guard abs(thousandths - cores * 1_000) < 1e-6 else {
        throw Flaw("is finer than a thousandth of a core", "round it")
      }
      return Int(thousandths)
    }
  }

  private static func text(_ thousandths: Int) -> String {
    thousandths.isMultiple(of: 1_000)
      ? "\(thousandths / 1_000)" : "\(Double(thousandths) / 1_000)"
  }
}

extension ValueRule where Value == ByteSize {
  /// A text such as `256MiB`, or a whole number of bytes, which is what canonical JSON holds.
  static func size(_ range: ClosedRange<ByteSize>) -> Self {
    Self { (json) throws(Flaw) in
      let size: ByteSize
      switch json {
      case .int(let bytes): size = ByteSize(bytes: bytes)
      case .string(let text):
        guard let value = ByteSize(text) else {
          throw Flaw(
            "\"\(text.shortened)\" is not a size", "write a whole number and a unit: 256MiB")
        }
        size = value
      default:
        throw Flaw("is \(json.typeName), expected a size", "write it as \"256MiB\"")
      }
      guard range.contains(size) else {
        throw Flaw("is \(size), allowed are \(range.lowerBound) to \(range.upperBound)")
      }
      return size
    }
  }
}

extension ValueRule where Value == TimeSpan {
  /// A text such as `10s`, or a number of seconds, which is what canonical JSON holds.
  static func span(_ range: ClosedRange<TimeSpan>) -> Self {
    Self { (json) throws(Flaw) in
      let span: TimeSpan
      switch json {
      case .int(let seconds) where (0...1 << 40).contains(seconds): span = .seconds(seconds)
      case .double(let seconds) where seconds >= 0 && seconds < 1e12:
        span = TimeSpan(milliseconds: Int64((seconds * 1_000).rounded()))
      case .string(let text):
        guard let value = TimeSpan(text) else {
          throw Flaw(
            "\"\(text.shortened)\" is not a length of time",
            "write a whole number and a unit: 500ms, 10s, 15m, 2h, 7d")
        }
        span = value
      case .int, .double:
        throw Flaw("is out of range, allowed are \(range.lowerBound) to \(range.upperBound)")
      default:
        throw Flaw("is \(json.typeName), expected a length of time", "write it as \"10s\"")
      }
      guard range.contains(span) else {
        throw Flaw("is \(span), allowed are \(range.lowerBound) to \(range.upperBound)")
      }
      return span
    }
  }
}

extension ValueRule where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of the words of an enumeration.
  static var word: Self {
    let words = Value.allCases.map(\.rawValue)
    return ValueRule<String>.text(1...128).then { (text) throws(Flaw) in
      if let value = Value(rawValue: text) { return value }
      let list = words.map { "\"\($0)\"" }.joined(separator: ", ")
      throw Flaw(
        "\"\(text.shortened)\" is none of \(list)",
        Spelling.nearest(to: text, among: words).map { "did you mean \"\($0)\"?" })
    }
  }
}

extension String {
  /// What an error message repeats of a text that someone else wrote: short, and without control characters.
  var shortened: String {
    var text = String(
      String.UnicodeScalarView(
        unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7f ? "\u{fffd}" : $0 }))
    if unicodeScalars.count > 60 { text += "…" }
    return text
  }
}
