// SPDX-License-Identifier: Apache-2.0
import Foundation
import GuestAPI
import Testing

@Suite("Errors: codes and words of docs/PROTOCOL.md")
struct ErrorTests {
  /// The table under "Errors", read from the document itself.
  private static func documented() throws -> [String: (code: Int64, status: Int)] {
    var rows: [String: (code: Int64, status: Int)] = [:]
    for line in try document().split(separator: "\n") where line.hasPrefix("| −32") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      let area = cells[1].trimmingCharacters(in: ["`"])
      rows[area] = (
        try #require(Int64(cells[0].replacing("−", with: "-"))), try #require(Int(cells[3]))
      )
    }
    return rows
  }

  private static func document() throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: root.appending(path: "docs/PROTOCOL.md"), encoding: .utf8)
  }

  @Test("every area has the code and the status of the document, and the document no other")
  func table() throws {
    let documented = try Self.documented()
    #expect(Set(documented.keys) == Set(HostError.Area.allCases.map(\.rawValue)))
    for area in HostError.Area.allCases {
      #expect(documented[area.rawValue]?.code == area.rpcCode, "\(area)")
      #expect(documented[area.rawValue]?.status == area.httpStatus, "\(area)")
    }
  }

  @Test("the words that end a guest are those of the document")
  func reasons() throws {
    let document = try Self.document()
    let start = try #require(document.range(of: "## What ends a guest"))
    let end = try #require(document.range(of: "## A complete guest"))
    let section = document[start.upperBound..<end.lowerBound]
    let listed = section.matches(of: /`([a-z]+\.[a-z_]+)`/).map { String($0.output.1) }
    #expect(Set(listed) == Set(ProtocolViolation.Reason.allCases.map(\.rawValue)))
  }

  @Test("a guest is told the word, whether to retry, and nothing of the host")
  func publicHalf() {
    let error = HostError(
      .overloaded, "queue", "too many requests wait", log: "/var/lib/bulkhead/secret",
      data: [("retryAfter", 1)])
    let wire = RPCError(error)
    #expect(wire.word == "overloaded.queue")
    #expect(wire.isRetryable)
    #expect(wire.data == ["code": "overloaded.queue", "retryable": true, "retryAfter": 1])
    #expect(
      !JSONValue.object(JSONObject([("d", wire.data), ("m", .string(wire.message))])).text.contains(
        "secret"))
    #expect(HostError(.internal, "", "m").code == "internal")
    #expect(RPCError(code: -1, message: "").word == "-1")
  }
}
