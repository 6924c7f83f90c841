// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Command
import Testing

@Suite("Exit codes")
struct CommandStatusTests {
  @Test(
    "a problem of the host becomes the exit code of its kind",
    arguments: [
      ("manifest.invalid", false, CommandStatus.data), ("params.tail", false, .data),
      ("sql.read_only", false, .data), ("permission.grants", false, .notPermitted),
      ("configuration.layer", false, .configuration), ("overloaded.busy", true, .retry),
      ("not_found.app", false, .failure), ("internal", false, .failure),
    ])
  func problems(code: String, retryable: Bool, status: CommandStatus) {
    let problem = Problem(status: 400, code: code, title: "t", detail: "d", retryable: retryable)
    #expect(CommandFailure(problem).status == status)
  }

  @Test("no host is 69, a host that is not ours 77, one that does not answer 75")
  func connection() {
    #expect(CommandFailure(.notRunning(socket: "/x")).status == .unavailable)
    #expect(CommandFailure(.notPermitted(socket: "/x")).status == .notPermitted)
    #expect(CommandFailure(.timeout(seconds: 1)).status == .retry)
  }

  @Test("the numbers are those of the interface")
  func numbers() {
    #expect(CommandStatus.allCases.map(\.rawValue) == [0, 1, 64, 65, 69, 75, 77, 78])
  }

  @Test("addresses to listen on are read with a host, without one, and in IPv6")
  func listen() {
    #expect(ListenAddress(argument: "127.0.0.1:8080")?.description == "127.0.0.1:8080")
    #expect(ListenAddress(argument: ":0")?.description == "0.0.0.0:0")
    #expect(ListenAddress(argument: "[::1]:80")?.host == "::1")
    for bad in ["8080", "x:", "x:65536", "x:-1", "::1:80", ""] {
      #expect(ListenAddress(argument: bad) == nil, "\(bad)")
    }
  }
}
