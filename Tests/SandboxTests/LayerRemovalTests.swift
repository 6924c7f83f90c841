// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

/// Each layer taken away alone: what the others still stop.
@Suite("without one layer")
struct LayerRemovalTests {
  /// Acts that nothing but the filter refuses, here or on a kernel with more protocols built in.
  static let onlyTheFilter = Set(
    (readText(testDirectory + "/Golden/only-the-filter.txt") ?? "").split(separator: "\n")
      .map(String.init))

  private func report(without layers: Set<Layer>) async throws -> [String: String] {
    var policy = Attacker.policy()
    policy.allowWeaker = layers
    return try await Attacker.report(policy)
  }

  private func got(_ report: [String: String]) -> Set<String> {
    Set(report.filter { $0.value == "GOT IT" }.keys)
  }

  @Test("without the filter, mounts, namespaces, identity and files still hold")
  func withoutTheFilter() async throws {
    let report = try await report(without: [.seccomp])
    let got = got(report)
    #expect(got.isSubset(of: Self.onlyTheFilter), "\(got.subtracting(Self.onlyTheFilter))")
    // The list of what only the filter stops is not empty words.
    #expect(got.isSuperset(of: ["trace_me", "chmod_setuid", "socket_inet", "splice_file"]))
    #expect(report.count == AttackerTests.golden.count)
    // No capability: nothing can be mounted or unmounted, nobody else become.
    for name in [
      "mount_tmpfs", "mount_bind", "mount_remount", "umount_usr", "pivot", "change_root",
      "new_open_tree", "new_fsopen", "new_mount_setattr", "setns_net", "unshare_mount",
      "unshare_net", "raise_capabilities", "add_groups", "name_host", "set_time",
    ] { #expect(report[name] == "refused EPERM", "\(name)") }
    // No user namespace, by the namespace's own limit.
    for name in ["unshare_user", "clone_user", "clone3_user"] {
      #expect(report[name] == "refused ENOSPC", "\(name)")
    }
    // A family may be had, but there is no way out of the network namespace.
    #expect(report["connect_abstract"] == "refused ECONNREFUSED")
    #expect(report["socket_packet"]?.hasPrefix("refused") == true)
    // Nothing of the host's files, nothing to write but scratch, nothing to run from there.
    for name in AttackerTests.golden.keys
    where name.hasPrefix("write_own") || name.hasPrefix("read_") || name.hasPrefix("run_") {
      #expect(report[name] == AttackerTests.golden[name], "\(name)")
    }
  }

  @Test("without Landlock the filter and the mounts refuse all the same")
  func withoutLandlock() async throws {
    #expect(try await report(without: [.landlock]) == AttackerTests.golden)
  }

  @Test("without the limit on user namespaces the filter refuses all the same")
  func withoutNamespaceLimit() async throws {
    #expect(try await report(without: [.nestedNamespaces]) == AttackerTests.golden)
  }

  @Test("with neither filter nor limit a user namespace can be had: each of them matters")
  func withNeither() async throws {
    let got = got(try await report(without: [.seccomp, .nestedNamespaces]))
    #expect(got.contains("unshare_user"))
  }

  @Test("Landlock alone keeps signals inside", .enabled(if: landlockABI >= 6))
  func landlockScope() async throws {
    var policy = Attacker.policy("show", "signal")
    #expect(try await Fixture.run(policy).text == "EPERM\n")
    policy = Attacker.policy("show", "signal")
    policy.allowWeaker = [.landlock]
    #expect(try await Fixture.run(policy).text == "may\n")
  }

  @Test("Landlock alone keeps devices from being made", .enabled(if: landlockABI >= 1))
  func landlockDevices() async throws {
    let with = try await report(without: [.seccomp])
    let without = try await report(without: [.seccomp, .landlock])
    #expect(with["make_character_device"] == "refused EACCES")
    #expect(without["make_character_device"] == "refused EPERM")
  }
}

/// Of this kernel; 0 without Landlock.
let landlockABI: Int = KernelProbe.landlockABI
