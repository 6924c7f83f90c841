// SPDX-License-Identifier: Apache-2.0

import GuestAPI

/// The mistakes found so far. A class, because the readers of nested tables add to the same list.
final class IssueList {
  /// LIMIT: a hostile manifest must not make the host write a book.
  static let issuesMax = 100
  private(set) var issues: [ManifestIssue] = []
  private(set) var omitted = 0

  func add(_ path: String, _ flaw: Flaw) {
    guard issues.count < Self.issuesMax else {
      omitted += 1
      return
    }
    issues.append(ManifestIssue(path: path, reason: flaw.reason, suggestion: flaw.suggestion))
  }
}

/// Reads one table of the manifest, key by key. What nobody asked for is an unknown key.
struct TableReader {
  let path: String
  let issues: IssueList
  private let object: JSONObject
  private var known: [String] = []

  init(_ object: JSONObject, path: String, issues: IssueList) {
    self.object = object
    self.path = path
    self.issues = issues
  }

  func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  func add(_ key: String, _ reason: String, _ suggestion: String? = nil) {
    issues.add(path(key), Flaw(reason, suggestion))
  }

  private mutating func take(_ key: String) -> JSONValue? {
    known.append(key)
    return object[key]
  }

  /// The value of a key, `fallback` if it is absent or wrong; a wrong value is an issue.
  mutating func value<Value>(
    _ key: String, default fallback: Value, _ rule: ValueRule<Value>
  ) -> Value {
    guard let json = take(key) else { return fallback }
    return read(json, path(key), rule) ?? fallback
  }

  /// The value of a key that must be there; `placeholder` keeps the reading going after an issue.
  mutating func required<Value>(
    _ key: String, example: String, placeholder: Value, _ rule: ValueRule<Value>
  ) -> Value {
    guard let json = take(key) else {
      add(key, "is missing", "write \(key) = \(example)")
      return placeholder
    }
    return read(json, path(key), rule) ?? placeholder
  }

  /// Each element of an array; `nil` if the key is absent.
  mutating func list<Value>(
    _ key: String, max: Int, _ rule: ValueRule<Value>
  ) -> [Value]? {
    guard let json = take(key) else { return nil }
    guard let elements = json.array else {
      add(key, "is \(json.typeName), expected a list", "put it in [ ]")
      return nil
    }
    guard elements.count <= max else {
      add(key, "has \(elements.count) entries, allowed are \(max)")
      return nil
    }
    return elements.enumerated().compactMap { index, element in
      read(element, "\(path(key))[\(index)]", rule)
    }
  }

  /// One nested table, empty if absent.
  mutating func table<Value>(_ key: String, _ body: (inout TableReader) -> Value) -> Value {
    var nested = TableReader(JSONObject(), path: path(key), issues: issues)
    if let json = take(key) {
      if let object = json.object {
        nested = TableReader(object, path: path(key), issues: issues)
      } else {
        add(key, "is \(json.typeName), expected a table", "write [\(key)]")
      }
    }
    let value = body(&nested)
    nested.finish()
    return value
  }

  /// An array of tables, such as `[[sqlite]]`.
  mutating func tables<Value>(
    _ key: String, max: Int, _ body: (inout TableReader) -> Value
  ) -> [Value] {
    guard let json = take(key) else { return [] }
    guard let elements = json.array else {
      add(key, "is \(json.typeName), expected a list of tables", "write [[\(key)]]")
      return []
    }
    guard elements.count <= max else {
      add(key, "has \(elements.count) entries, allowed are \(max)")
      return []
    }
    return elements.enumerated().compactMap { index, element in
      let path = "\(path(key))[\(index)]"
      guard let object = element.object else {
        issues.add(path, Flaw("is \(element.typeName), expected a table", "write [[\(key)]]"))
        return nil
      }
      var nested = TableReader(object, path: path, issues: issues)
      let value = body(&nested)
      nested.finish()
      return value
    }
  }

  /// Every member of a table whose keys the author chooses.
  mutating func members<Value>(
    _ key: String, max: Int, name: (String) throws(Flaw) -> Void, _ rule: ValueRule<Value>
  ) -> [(name: String, value: Value)] {
    guard let json = take(key) else { return [] }
    guard let object = json.object else {
      add(key, "is \(json.typeName), expected a table", "write \(key) = { NAME = \"value\" }")
      return []
    }
    guard object.members.count <= max else {
      add(key, "has \(object.members.count) entries, allowed are \(max)")
      return []
    }
    return object.members.compactMap { member in
      let path = "\(path(key)).\(member.key.shortened)"
      do throws(Flaw) {
        try name(member.key)
        return (member.key, try rule.read(member.value))
      } catch {
        issues.add(path, error)
        return nil
      }
    }
  }

  /// Call last: reports the keys nobody asked for.
  func finish() {
    for key in object.keys where !known.contains(key) {
      let near = Spelling.nearest(to: key, among: known)
      issues.add(
        path(key.shortened),
        Flaw(
          "is not a key of \(path.isEmpty ? "the manifest" : "[\(path)]")",
          near.map { "did you mean \"\($0)\"?" } ?? "known are \(known.joined(separator: ", "))"))
    }
  }

  private func read<Value>(_ json: JSONValue, _ path: String, _ rule: ValueRule<Value>) -> Value? {
    do throws(Flaw) {
      return try rule.read(json)
    } catch {
      issues.add(path, error)
      return nil
    }
  }
}
