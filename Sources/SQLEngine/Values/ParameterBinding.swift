// SPDX-License-Identifier: Apache-2.0
import CSQLite
import GuestAPI

/// Binds the `params` of a request: an array by position, an object by name without prefix. Exactly what the statement
/// has must be given.
///
/// JSON null is NULL, an integer INTEGER, a number with a fraction or exponent REAL, a string TEXT, a boolean 0 or 1.
/// `{"blob":[offset,length]}` and `{"text":[offset,length]}` lie in the frame's body, `{"int":"…"}` is an int64 in
/// decimal, `{"real":"inf"}` and `{"real":"-inf"}` are the infinities.
package struct ParameterBinding {
  private let statement: PreparedStatement
  private let body: [UInt8]

  package static func bind(
    _ params: JSONValue?, body: [UInt8], to statement: PreparedStatement
  ) throws(HostError) {
    let binding = ParameterBinding(statement: statement, body: body)
    switch params {
    case nil, .null: try binding.expect(0)
    case .array(let values):
      try binding.expect(values.count)
      for (index, value) in values.enumerated() {
        try binding.bind(value, at: Int32(index + 1), name: "params[\(index)]")
      }
    case .object(let object): try binding.bind(named: object)
    case .some(let other):
      throw SQLFailure.params("\"params\" must be an array or an object, not \(other.typeName)")
    }
  }

  private func expect(_ count: Int) throws(HostError) {
    guard statement.parameterCount == count else {
      throw SQLFailure.params(
        "the statement has \(statement.parameterCount) parameters and \(count) values were given")
    }
  }

  private func bind(named object: JSONObject) throws(HostError) {
    var bound = 0
    for position in 1..<Int32(statement.parameterCount + 1) {
      guard let pointer = sqlite3_bind_parameter_name(statement.handle, position) else {
        throw SQLFailure.params(
          "parameter \(position) has no name; give \"params\" as an array for ? parameters")
      }
      let name = String(String(cString: pointer).dropFirst())
      guard let value = object[name] else {
        throw SQLFailure.params("\"params\" has no \"\(name)\"")
      }
      try bind(value, at: position, name: "params.\(name)")
      bound += 1
    }
    guard bound == object.members.count else {
      throw SQLFailure.params(
        "\"params\" has \(object.members.count) members and the statement \(bound) names")
    }
  }

  private func bind(
    _ value: JSONValue, at position: Int32, name: @autoclosure () -> String
  ) throws(HostError) {
    let handle = statement.handle
    let code: Int32
    switch value {
    case .null: code = sqlite3_bind_null(handle, position)
    case .int(let number): code = sqlite3_bind_int64(handle, position, number)
    case .bool(let flag): code = sqlite3_bind_int64(handle, position, flag ? 1 : 0)
    case .double(let number): code = sqlite3_bind_double(handle, position, number)
    case .string(var text):
      code = text.withUTF8 { bindText(UnsafeRawBufferPointer($0), at: position) }
    case .object(let object): code = try bind(tagged: object, at: position, name: name())
    case .array:
      throw SQLFailure.params("\(name()) is an array; a value must be a scalar or a tagged object")
    }
    guard code == SQLITE_OK else { throw Self.refusal(code, name()) }
  }

  private func bind(
    tagged object: JSONObject, at position: Int32, name: String
  ) throws(HostError) -> Int32 {
    guard object.members.count == 1, let (tag, value) = object.members.first else {
      throw SQLFailure.params("\(name) must have exactly one of blob, text, int and real")
    }
    let handle = statement.handle
    switch (tag, value) {
    case ("blob", .array(let place)):
      let range = try resolve(place, name)
      guard !range.isEmpty else { return sqlite3_bind_zeroblob(handle, position, 0) }
      return body.withUnsafeBytes {
        sqlite3_bind_blob64(
          handle, position, $0.baseAddress! + range.lowerBound, UInt64(range.count), transient)
      }
    case ("text", .array(let place)):
      let range = try resolve(place, name)
      return body.withUnsafeBytes {
        bindText(UnsafeRawBufferPointer(rebasing: $0[range]), at: position)
      }
    case ("int", .string(let digits)):
      guard let number = Int64(digits) else {
        throw SQLFailure.params("\(name).int must be an int64 in decimal")
      }
      return sqlite3_bind_int64(handle, position, number)
    case ("real", .string("inf")): return sqlite3_bind_double(handle, position, .infinity)
    case ("real", .string("-inf")): return sqlite3_bind_double(handle, position, -.infinity)
    default:
      throw SQLFailure.params(
        "\(name) must be {\"blob\":[offset,length]}, {\"text\":[offset,length]}, {\"int\":\"…\"} or "
          + "{\"real\":\"inf\"} or \"-inf\"")
    }
  }

  private func resolve(_ place: [JSONValue], _ name: String) throws(HostError) -> Range<Int> {
    guard let range = BodyRange.resolve(place, in: body.count) else {
      throw SQLFailure.params(
        "\(name) is not [offset, length] within the \(body.count) bytes of the body")
    }
    return range
  }

  private func bindText(_ bytes: UnsafeRawBufferPointer, at position: Int32) -> Int32 {
    // An empty buffer may have no base, which SQLite would bind as NULL.
    guard let base = bytes.baseAddress, !bytes.isEmpty else {
      return sqlite3_bind_text(statement.handle, position, "", 0, transient)
    }
    return sqlite3_bind_text64(
      statement.handle, position, base.assumingMemoryBound(to: CChar.self), UInt64(bytes.count),
      transient, UInt8(SQLITE_UTF8))
  }

  static func refusal(_ code: Int32, _ name: String) -> HostError {
    code & 0xff == SQLITE_TOOBIG
      ? SQLFailure.params("\(name) is over \(SQLLimits.valueBytes) bytes")
      : SQLFailure.params("\(name) could not be bound (SQLite \(code))")
  }
}

/// `[offset, length]` into the body of a frame.
package enum BodyRange {
  package static func resolve(_ place: [JSONValue], in count: Int) -> Range<Int>? {
    guard place.count == 2, let offset = place[0].int, let length = place[1].int,
      offset >= 0, length >= 0, offset <= count, length <= Int64(count) - offset
    else { return nil }
    return Int(offset)..<Int(offset + length)
  }
}

// SAFETY: never written. SQLITE_TRANSIENT makes SQLite copy the bytes before the call returns.
nonisolated(unsafe) let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
