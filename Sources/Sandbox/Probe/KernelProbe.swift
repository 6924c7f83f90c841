// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc

/// Finds out what this host offers, by trying it: kernel versions and configuration files are
/// known to promise what then is refused.
public enum KernelProbe {
  /// The Landlock ABI of this kernel, 0 without Landlock.
  public static var landlockABI: Int { Int(bh_landlock_abi()) }

  /// Builds up to four empty cells. Never throws: what is missing is a finding.
  public static func probe(launcherPath: String, cgroups: any CgroupHierarchy) async -> HostFacts {
    var facts = HostFacts(
      uid: geteuid(), gid: getegid(), isPrivileged: isPrivileged(),
      landlockABI: landlockABI, hasFreshProc: true, canForbidUserNamespaces: true,
      hasUserNotify: bh_seccomp_action_available(FilterVerdict.notify.rawValue) == 1,
      hasSeccomp: bh_seccomp_action_available(FilterVerdict.killProcess.rawValue) == 1,
      layout: layout(), layers: [])
    var failure: SandboxError?
    var procReason: String?
    var namespacesReason: String?
    for _ in 0..<4 {
      failure = await trial(launcherPath: launcherPath, facts)
      switch failure?.step {
      case .proc where facts.hasFreshProc:
        facts.hasFreshProc = false
        procReason = failure.map(\.description)
      case .userNamespaces where facts.canForbidUserNamespaces:
        facts.canForbidUserNamespaces = false
        namespacesReason = failure.map(\.description)
      default: break
      }
      if failure == nil || (procReason == nil && namespacesReason == nil) { break }
    }
    facts.layers =
      cellLayers(failure, facts, proc: procReason, nested: namespacesReason)
      + kernelLayers(facts) + cgroups.reports
    let order = Layer.allCases
    facts.layers.sort {
      (order.firstIndex(of: $0.layer) ?? 0) < (order.firstIndex(of: $1.layer) ?? 0)
    }
    return facts
  }

  /// Nil when an empty cell could be built.
  private static func trial(launcherPath: String, _ facts: HostFacts) async -> SandboxError? {
    let policy = SandboxPolicy(
      appID: "probe", instance: "probe", arguments: ["/bin/true"],
      uid: facts.isPrivileged ? 65534 : nil)
    do throws(SandboxError) {
      let launcher = try Launcher(
        launcherPath: launcherPath, cgroups: NoCgroups(), facts: facts, name: "probe")
      let plan = try LaunchPlan(
        policy, facts: facts, sources: [], descriptors: [], filter: nil, hasCgroup: false)
      let cell = try await launcher.spawn(appID: "probe", instance: "probe", plan.cell)
      launcher.reactor.run(after: Launcher.startMillisecondsMax) { cell.deadlinePassed() }
      let outcome = await cell.waitForReadiness()
      cell.kill()
      await cell.waitUntilGone()
      if case .failure(let error) = outcome { return error }
      return nil
    } catch {
      return error
    }
  }

  private static func cellLayers(
    _ failure: SandboxError?, _ facts: HostFacts, proc: String?, nested: String?
  ) -> [LayerReport] {
    var reports: [LayerReport] = []
    let namespaceSteps: Set<LaunchStep> = [
      .spawn, .clone, .idMap, .credentials, .cgroupNamespace, .parentDeath, .lost,
    ]
    let failsEarly = failure.map { namespaceSteps.contains($0.step) } ?? false
    reports.append(
      failsEarly
        ? LayerReport(
          .namespaces, .missing, failure?.description ?? "", fix: namespaceFix())
        : LayerReport(.namespaces, .active, "user, pid, mount, net, ipc, uts and cgroup"))
    reports.append(
      failure == nil
        ? LayerReport(.mounts, .active, "detached mounts and pivot_root")
        : LayerReport(.mounts, .missing, failure?.description ?? ""))
    reports.append(
      failure != nil
        ? LayerReport(.proc, .missing, "no cell can be built")
        : proc.map { LayerReport(.proc, .weaker, "\($0): apps start without /proc") }
          ?? LayerReport(.proc, .active, "its own, read-only, subset=pid"))
    reports.append(
      failure != nil
        ? LayerReport(.nestedNamespaces, .missing, "no cell can be built")
        : nested.map {
          LayerReport(
            .nestedNamespaces, .missing, $0,
            fix: "start with --allow-weaker nestedNamespaces; the filter still refuses them")
        } ?? LayerReport(.nestedNamespaces, .active, "user.max_user_namespaces is 0 inside"))
    return reports
  }

  private static func kernelLayers(_ facts: HostFacts) -> [LayerReport] {
    [
      facts.hasSeccomp
        ? LayerReport(.seccomp, .active, "filter with kill-process")
        : LayerReport(
          .seccomp, .missing, "the kernel has no seccomp filters",
          fix: "use a kernel with CONFIG_SECCOMP_FILTER"),
      landlock(facts.landlockABI),
      facts.isPrivileged
        ? LayerReport(.dedicatedUser, .active, "a host uid per app")
        : LayerReport(
          .dedicatedUser, .weaker,
          "apps have the host's own uid \(facts.uid); what keeps them apart is the mounts",
          fix: "run the host as root (its unit drops what it does not need)"),
      facts.hasUserNotify
        ? LayerReport(.userNotify, .active, "refused calls can be reported")
        : LayerReport(.userNotify, .missing, "the kernel has no SECCOMP_RET_USER_NOTIF (5.0)"),
    ]
  }

  private static func landlock(_ abi: Int) -> LayerReport {
    switch abi {
    case 0:
      LayerReport(
        .landlock, .missing, "the kernel has no Landlock, or it is not started",
        fix: "boot with lsm=landlock,… (Linux 5.13 or newer)")
    case 1..<4: LayerReport(.landlock, .weaker, "ABI \(abi): files only, no network rules (6.7)")
    case 4..<6: LayerReport(.landlock, .weaker, "ABI \(abi): no signal and socket scopes (6.12)")
    default: LayerReport(.landlock, .active, "ABI \(abi)")
    }
  }

  private static func namespaceFix() -> String? {
    if KernelFile.read("/proc/sys/kernel/unprivileged_userns_clone")?.first == "0" {
      return "sysctl -w kernel.unprivileged_userns_clone=1"
    }
    if KernelFile.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")?.first == "1" {
      return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run the host as root"
    }
    if KernelFile.read("/proc/sys/user/max_user_namespaces").flatMap(CgroupDirectory.firstNumber)
      == 0
    {
      return "sysctl -w user.max_user_namespaces=10000"
    }
    return nil
  }

  /// Root with what the launcher needs: to map ids, open any bind and mount. Root of a user
  /// namespace (a rootless container) has names for too few ids, and counts as a plain user.
  private static func isPrivileged() -> Bool {
    let map = (KernelFile.read("/proc/self/uid_map") ?? "").split(whereSeparator: \.isWhitespace)
    guard geteuid() == 0, map == ["0", "0", "4294967295"],
      let status = KernelFile.read("/proc/self/status"),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
      let effective = UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16)
    else { return false }
    // CAP_DAC_READ_SEARCH 2, SETGID 6, SETUID 7, SYS_ADMIN 21
    let needed: UInt64 = 1 << 2 | 1 << 6 | 1 << 7 | 1 << 21
    return effective & needed == needed
  }

  private static func layout() -> HostLayout {
    var entries: [String: HostLayout.Entry] = [:]
    for path in RuntimeView.candidateDirectories + RuntimeView.candidateFiles {
      var status = stat()
      guard lstat(path, &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: entries[path] = .directory
      case S_IFREG: entries[path] = .file
      case S_IFLNK:
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink(path, &buffer, buffer.count - 1)
        if length > 0 {
          entries[path] = .link(
            String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
      default: break
      }
    }
    return HostLayout(entries: entries)
  }
}
