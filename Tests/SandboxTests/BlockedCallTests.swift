// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

@Suite("in development")
struct BlockedCallTests {
  @Test("refused calls are reported once each, with the answer production gives")
  func reported() async throws {
    var policy = Fixture.policy(
      "/bin/sh", "-c",
      """
      /usr/bin/perl -MSocket -e 'for (1..5) { socket(my $s, PF_INET, SOCK_STREAM, 0); print $!+0, "\\n" }'
      chmod 4755 /tmp 2>/dev/null; true
      """)
    policy.development = true
    let pipe = try TextPipe()
    let process = try await Fixture.launcher().launch(
      policy, LaunchDescriptors(stdout: pipe.writeEnd))
    pipe.closeWriteEnd()
    async let text = pipe.readAll()
    var calls: [String] = []
    for await call in process.blockedCalls() { calls.append(call.description) }
    #expect(await process.waitForExit().outcome == .exited(code: 0))
    #expect(await text == String(repeating: "\(EAFNOSUPPORT)\n", count: 5))
    let socket = "blocked: socket(AF_INET) → EAFNOSUPPORT; use http.fetch"
    #expect(calls.filter { $0.hasPrefix(socket) }.count == 1, "\(calls)")
    #expect(calls.contains { $0.hasPrefix("blocked: fchmodat() → EPERM") }, "\(calls)")
    #expect(!calls.contains { $0.contains("clone3") })
    let counts = process.takeBlockedCounts()
    #expect(counts["socket"] == 5, "\(counts)")
    #expect(counts["clone3"] == nil)
    #expect(process.takeBlockedCounts().isEmpty)
  }

  @Test("every forbidden act has the same answer as in production")
  func sameAnswers() async throws {
    var policy = Attacker.policy()
    policy.development = true
    #expect(try await Attacker.report(policy) == AttackerTests.golden)
  }

  @Test("a flood of refused calls costs the guest, is reported once, and can be ended")
  func flood() async throws {
    var policy = Attacker.policy("exhaust", "calls")
    policy.development = true
    let process = try await Fixture.launcher().launch(policy)
    var calls: [BlockedCall] = []
    for await call in process.blockedCalls() {
      calls.append(call)
      process.kill()
    }
    #expect(calls.map(\.name) == ["socket"])
    await process.waitUntilGone()
  }

  @Test("outside development nothing is reported")
  func silent() async throws {
    let process = try await Fixture.launcher().launch(Attacker.policy("socket_inet"))
    for await call in process.blockedCalls() { Issue.record("\(call)") }
    #expect(process.takeBlockedCounts().isEmpty)
    #expect(await process.waitForExit().outcome == .exited(code: 0))
  }
}
