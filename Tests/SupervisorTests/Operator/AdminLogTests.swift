// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Foundation
import Supervisor
import Synchronization
import Testing

@Suite("Logs over the admin socket")
struct AdminLogTests {
  @Test("kept lines come one JSON object a line, then the answer ends")
  func kept() async throws {
    try await ServedFakeHost.run { served in
      let texts = try await served.ask { client throws(AdminClientError) in
        var texts: [String] = []
        try client.lines(
          AdminPath.query(AdminPath.app("journal", "logs"), [("tail", "2")]), follow: false
        ) { bytes in
          texts.append((try? AdminCoding.decode(LogLine.self, from: bytes))?.text ?? "?")
          return true
        }
        return texts
      }.get()
      #expect(texts == ["one", "two \u{1b}[31m"])
      #expect(served.host.calls == ["logs tail=2 follow=false"])
    }
  }

  @Test("followed lines arrive one by one, and a reader who leaves is let go")
  func followed() async throws {
    try await ServedFakeHost.run { served in
      let continuation = served.host.liveLines.continuation
      let texts = try await served.ask { client throws(AdminClientError) in
        var texts: [String] = []
        continuation.yield(LogLine(time: FakeHost.time, stream: .stderr, text: "0"))
        try client.lines(
          AdminPath.query(AdminPath.app("journal", "logs"), [("follow", "true")]), follow: true
        ) { bytes in
          // The next line is written only once this one was read: nothing waits for a full buffer.
          texts.append((try? AdminCoding.decode(LogLine.self, from: bytes))?.text ?? "?")
          guard texts.count < 3 else { return false }
          continuation.yield(LogLine(time: FakeHost.time, stream: .stdout, text: "\(texts.count)"))
          return true
        }
        return texts
      }.get()
      #expect(texts == ["0", "1", "2"])
      while served.host.followerCount > 0 { try await Task.sleep(for: .milliseconds(5)) }
    }
  }

  @Test("an app that is not there is a problem, not an empty log")
  func missing() async throws {
    try await ServedFakeHost.run { served in
      let problem = await served.problem { client throws(AdminClientError) in
        try client.lines(AdminPath.app("nobody", "logs"), follow: false) { _ in true }
      }
      #expect(problem?.code == "not_found.app")
    }
  }

  @Test(
    "questions that make no sense are refused by name",
    arguments: [("tail", "-1"), ("tail", "x"), ("since", "yesterday")])
  func badQuery(name: String, value: String) async throws {
    try await ServedFakeHost.run { served in
      let problem = await served.problem { client throws(AdminClientError) in
        try client.lines(
          AdminPath.query(AdminPath.app("journal", "logs"), [(name, value)]), follow: false
        ) { _ in true }
      }
      #expect(problem?.code == "params.\(name)")
    }
  }
}
