// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

@Suite("a launch")
struct LaunchTests {
  @Test("a command runs and its exit code comes back")
  func exitCode() async throws {
    let facts = await Fixture.hostFacts()
    for report in facts.layers { print(report.layer, report.state, report.reason) }
    #expect(try await Fixture.run("/bin/true").exit.outcome == .exited(code: 0))
    #expect(try await Fixture.shell("exit 7").exit.outcome == .exited(code: 7))
    let out = try await Fixture.shell(
      "id; ls -la / /dev /proc /etc /app; cat /proc/self/status /proc/self/mountinfo; env; ls -l /proc/self/fd; echo hi > /tmp/x; ps aux; python3 -V; node -v"
    )
    print(out.text, out.errors)
  }
}
