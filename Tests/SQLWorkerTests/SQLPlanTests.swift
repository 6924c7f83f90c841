// SPDX-License-Identifier: Apache-2.0
import SQLEngine
import Testing

@Suite struct `The plan of a worker` {
  @Test func `keeps the defaults of what is absent`() throws {
    let plan = try SQLPlan(
      json: #"{"databases":[{"name":"main","migrations":"/app/migrations/main"}]}"#)
    var expected = SQLPlan()
    expected.databases = [.init(name: "main", migrations: "/app/migrations/main")]
    #expect(plan == expected)
  }

  @Test(arguments: [
    #"{"quota":1}"#, #"{"quotaBytes":-1}"#, #"{"quotaBytes":"1"}"#, #"{"directory":"sql"}"#,
    #"{"databases":[{"name":"../x"}]}"#, #"{"databases":[{"name":"a"},{"name":"a"}]}"#,
    #"{"databases":[{}]}"#, #"{"threads":1}"#, #"{"deadlineMs":0}"#, "[]", "{",
  ])
  func `is refused when it says what it must not`(json: String) {
    #expect(throws: SQLPlanError.self) { try SQLPlan(json: json) }
  }

  @Test(arguments: [
    ("main", true), ("a", true), ("a-b_9", true), ("", false), ("Main", false), ("9a", false),
    ("a/b", false), ("a.b", false), ("..", false), (String(repeating: "a", count: 64), false),
  ])
  func `a database's name can be a file's name`(name: String, isValid: Bool) {
    #expect(DatabaseName.isValid(name) == isValid)
  }
}
