// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

@Suite("the probe")
struct ProbeTests {
  @Test("reports every layer once, in order, with a reason")
  func complete() async {
    let facts = await Fixture.hostFacts()
    #expect(facts.layers.map(\.layer) == Layer.allCases)
    for report in facts.layers { #expect(!report.reason.isEmpty, "\(report.layer)") }
    #expect(facts.refusals(allowing: []) == [])
  }

  @Test("finds the layer that was taken away from a machine")
  func takenAway() async throws {
    // A machine on which no user namespace can be made.
    let none = try await doctor(
      "unshare", "-Urf", "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"",
      "sh")
    #expect(none["namespaces"] == "missing")
    #expect(none["mounts"] == "missing")
    // One on which the cgroups are read-only.
    let readOnly = try await doctor(
      "unshare", "-Urmf", "sh", "-c",
      "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mount --bind -o ro $d $d 2>/dev/null; done; exec \"$@\"",
      "sh")
    #expect(readOnly["cgroup"] == "weaker")
    #expect(readOnly["namespaces"] == "active")
    // One with a /proc that is covered in part, as in a container: no fresh one is allowed.
    let covered = try await doctor(
      "unshare", "-Urmpf", "--mount-proc", "sh", "-c",
      "mount -t tmpfs none /proc/tty && exec unshare -U --map-current-user \"$@\"", "sh")
    #expect(covered["proc"] == "weaker", "\(covered)")
    #expect(covered["namespaces"] == "active")
  }

  @Test("apps start without /proc where a fresh one is refused")
  func withoutProc() async throws {
    var facts = await Fixture.hostFacts()
    facts.hasFreshProc = false
    let launcher = try Launcher(
      launcherPath: Fixture.launcherPath, cgroups: Fixture.cgroups, facts: facts,
      name: "tests-\(getpid())")
    let output = try await Fixture.run(
      Fixture.policy("/bin/sh", "-c", "ls /proc | wc -l; python3 -c 'print(6 * 7)'"),
      with: launcher)
    #expect(output.text == "0\n42\n", "\(output.errors)")
  }

  private func doctor(_ wrapper: String...) async throws -> [String: String] {
    let host = try TestHost("doctor", wrapper: wrapper)
    var states: [String: String] = [:]
    for line in await host.readToEnd().split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count >= 2 { states[String(words[0])] = String(words[1]) }
    }
    return states
  }
}
