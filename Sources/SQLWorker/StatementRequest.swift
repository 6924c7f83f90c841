// SPDX-License-Identifier: Apache-2.0
import GuestAPI
import SQLEngine

/// The params that statements have in common.
struct StatementRequest {
  var sql: String
  var params: JSONValue?
  /// Rows as `columns/1` in the body, as many as there are.
  var stream: Bool
  var safeIntegers: Bool

  init(_ call: Call) throws(HostError) {
    try self.init(call.params)
  }

  init(_ params: JSONValue) throws(HostError) {
    sql = try Self.string(params, "sql")
    self.params = params["params"]
    stream = try Self.flag(params, "stream")
    safeIntegers = try Self.flag(params, "safeIntegers")
  }

  static func string(_ params: JSONValue, _ key: String) throws(HostError) -> String {
    guard let value = params[key] else { throw SQLFailure.params("\"\(key)\" is missing") }
    guard let text = value.string else {
      throw SQLFailure.params("\"\(key)\" must be a string, not \(value.typeName)")
    }
    return text
  }

  static func flag(_ params: JSONValue, _ key: String) throws(HostError) -> Bool {
    guard let value = params[key] else { return false }
    guard let flag = value.bool else {
      throw SQLFailure.params("\"\(key)\" must be true or false, not \(value.typeName)")
    }
    return flag
  }
}
