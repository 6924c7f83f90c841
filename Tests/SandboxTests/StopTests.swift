// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Testing

@Suite("stopping for good")
struct StopTests {
  /// A number no other process sleeps for, by which survivors are found.
  static func mark(_ number: Int) -> String { "\(number).\(getpid())" }

  /// What starts processes that try to stay: in the background, in a session of its own, orphaned.
  static func clinging(_ mark: String) -> String {
    "sleep \(mark) & setsid sleep \(mark) & (sleep \(mark) &); echo up; wait"
  }

  @Test("kill ends the whole tree, whatever it did to stay")
  func kill() async throws {
    let mark = Self.mark(86_401)
    let process = try await start(Self.clinging(mark))
    try await settle { survivors(mark) == 3 }
    process.kill()
    #expect(await process.waitForExit().outcome == .signaled(signal: SIGKILL))
    await process.waitUntilGone()
    #expect(survivors(mark) == 0)
  }

  @Test("when the command ends, what it left behind ends too")
  func leftovers() async throws {
    let mark = Self.mark(86_402)
    let output = try await Fixture.shell("setsid sleep \(mark) & exit 3")
    #expect(output.exit.outcome == .exited(code: 3))
    try await settle { survivors(mark) == 0 }
  }

  @Test("signals a guest ignores do not keep it alive")
  func ignoredSignals() async throws {
    let mark = Self.mark(86_403)
    let process = try await start("trap '' TERM INT HUP; sleep \(mark); sleep \(mark)")
    try await settle { survivors(mark) == 1 }
    process.kill()
    await process.waitUntilGone()
    #expect(survivors(mark) == 0)
  }

  @Test("when its launcher is killed the cell goes with it, and the host hears of it")
  func launcherKilled() async throws {
    let mark = Self.mark(86_404)
    let process = try await start(Self.clinging(mark))
    try await settle { survivors(mark) == 3 }
    let monitor = try #require(parentOfParent(process.pid))
    #expect(Glibc.kill(monitor, SIGKILL) == 0)
    #expect(await process.waitForExit().outcome == .signaled(signal: SIGKILL))
    await process.waitUntilGone()
    #expect(survivors(mark) == 0)
  }

  @Test("a launcher that is stopped cannot keep a cell alive")
  func launcherStopped() async throws {
    let mark = Self.mark(86_405)
    let process = try await start(Self.clinging(mark))
    try await settle { survivors(mark) == 3 }
    let monitor = try #require(parentOfParent(process.pid))
    #expect(Glibc.kill(monitor, SIGSTOP) == 0)
    process.kill()
    await process.waitUntilGone()
    #expect(survivors(mark) == 0)
  }

  @Test("when the host is killed nothing survives: no process, no cgroup")
  func hostKilled() async throws {
    let mark = Self.mark(86_406)
    let name = "victim-\(getpid())"
    let host = try TestHost("serve", name, mark, "2")
    try await host.waitForLine("ready")
    try await settle { survivors(mark) == 6 }
    host.signal(SIGKILL)
    try await settle { survivors(mark) == 0 }
    try await settle { launchers(named: name) == 0 }
    try await settle { cgroups(of: name) == [] }
    host.wait()
  }

  @Test("what a power cut left is swept by the next host")
  func sweep() async throws {
    let mark = Self.mark(86_407)
    let name = "cut-\(getpid())"
    let host = try TestHost("serve", name, mark, "1")
    try await host.waitForLine("ready")
    try await settle { survivors(mark) == 3 }
    // Stop the monitors first: nobody is left to clear up when the host dies.
    for pid in launcherPIDs(named: name) { Glibc.kill(pid, SIGSTOP) }
    host.signal(SIGKILL)
    host.wait()
    let sweeper = try TestHost("sweep", name)
    let lines = await sweeper.readToEnd().split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("process ") })
    try await settle { survivors(mark) == 0 }
    #expect(cgroupLeaves(named: name) == [])
  }

  @Test("a host that ends in good order leaves nothing either")
  func orderlyEnd() async throws {
    let mark = Self.mark(86_408)
    let name = "orderly-\(getpid())"
    let host = try TestHost("serve", name, mark, "1")
    try await host.waitForLine("ready")
    host.signal(SIGTERM)
    host.wait()
    try await settle { survivors(mark) == 0 }
    try await settle { cgroups(of: name) == [] }
  }

  private func start(_ script: String) async throws -> SandboxedProcess {
    try await Fixture.launcher().launch(Fixture.policy("/bin/sh", "-c", script, app: "stop"))
  }
}

/// Processes on the whole machine that sleep for this mark.
func survivors(_ mark: String) -> Int {
  processes { $0.hasPrefix("sleep\0\(mark)\0") }.count
}

/// Launchers (monitors and reapers) of the host with this name.
func launcherPIDs(named name: String) -> [pid_t] {
  processes { $0 == "bulkhead-launch\0bulkhead-\(name)\0" }
}

func launchers(named name: String) -> Int { launcherPIDs(named: name).count }

private func processes(where matches: (String) -> Bool) -> [pid_t] {
  guard let directory = opendir("/proc") else { return [] }
  defer { closedir(directory) }
  var found: [pid_t] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    guard let pid = pid_t(name), let line = readText("/proc/\(name)/cmdline"), matches(line) else {
      continue
    }
    found.append(pid)
  }
  return found
}

func parent(_ pid: pid_t) -> pid_t? {
  guard let stat = readText("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else {
    return nil
  }
  let fields = stat[stat.index(after: end)...].split(separator: " ")
  return fields.count > 1 ? pid_t(fields[1]) : nil
}

/// The monitor of a guest: the parent of its pid 1.
func parentOfParent(_ pid: pid_t) -> pid_t? { parent(pid).flatMap(parent) }

/// Cgroups of processes left of the host with this name.
func cgroupLeaves(named name: String) -> [String] {
  cgroups(of: name).filter { $0.split(separator: "/").last?.hasPrefix("run-") == true }
}

/// All cgroups left of the host with this name, in any hierarchy.
func cgroups(of name: String) -> [String] {
  var found: [String] = []
  func look(_ path: String, depth: Int) {
    guard depth < 8, let directory = opendir(path) else { return }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let child = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard child != ".", child != "..", entry.pointee.d_type == 4 else { continue }
      let path = path + "/" + child
      if (path + "/").contains("/bulkhead-\(name)/") { found.append(path) }
      look(path, depth: depth + 1)
    }
  }
  look("/sys/fs/cgroup", depth: 0)
  return found
}
