// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox

// A host to be killed by tests, and to look at a machine from inside a changed one.
//   SandboxTestHost serve NAME SECONDS COUNT   starts COUNT cells that sleep, prints "ready"
//   SandboxTestHost sweep NAME                 sweeps what an earlier NAME left, one line each
//   SandboxTestHost cycle NAME COUNT           ends COUNT hostile cells, prints what it holds
//                                              before and after: descriptors, anonymous KiB
//   SandboxTestHost doctor                     one line per layer: name, state, reason

let arguments = CommandLine.arguments
let directory: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
  let path = String(
    decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return "/" + path.split(separator: "/").dropLast().joined(separator: "/")
}()
let launcherPath = directory + "/SandboxLaunch"

func openDescriptors() -> Int {
  guard let directory = opendir("/proc/self/fd") else { return 0 }
  defer { closedir(directory) }
  var count = 0
  while readdir(directory) != nil { count += 1 }
  return count
}

/// Memory of its own, counted page by page: `statm` is off by 256 KiB a thread before Linux 6.2, and includes files.
func anonymousKiB() -> Int {
  guard let file = fopen("/proc/self/smaps_rollup", "r") else { exit(1) }
  defer { fclose(file) }
  var text = [UInt8](repeating: 0, count: 4096)
  let count = fread(&text, 1, text.count, file)
  for line in String(decoding: text[..<count], as: UTF8.self).split(separator: "\n") {
    let words = line.split(separator: " ")
    if words.count == 3, words[0] == "Anonymous:", let size = Int(words[1]) { return size }
  }
  exit(1)
}

switch arguments.dropFirst().first {
case "serve" where arguments.count == 5:
  let cgroups = CgroupDiscovery.hierarchy(named: arguments[2])
  let facts = await KernelProbe.probe(launcherPath: launcherPath, cgroups: cgroups)
  let launcher = try Launcher(
    launcherPath: launcherPath, cgroups: cgroups, facts: facts, name: arguments[2])
  var processes: [SandboxedProcess] = []
  for number in 0..<(Int(arguments[4]) ?? 1) {
    // One that stays, one of its own session, one orphan of the first's.
    let script =
      "sleep \(arguments[3]) & setsid sleep \(arguments[3]) & (sleep \(arguments[3]) &) ; wait"
    processes.append(
      try await launcher.launch(
        SandboxPolicy(
          appID: "served", instance: "s\(number)", arguments: ["/bin/sh", "-c", script],
          environment: ["PATH": "/usr/bin:/bin"], uid: geteuid() == 0 ? 61_300 : nil)))
  }
  try await launcher.prepare(
    SandboxPolicy(
      appID: "served", instance: "ready", arguments: ["/bin/true"],
      uid: geteuid() == 0 ? 61_300 : nil))
  // stdout may be a pipe, and is not flushed by a kill.
  print("ready")
  fflush(nil)
  for process in processes { _ = await process.waitForExit() }
case "sweep" where arguments.count == 3:
  let cgroups = CgroupDiscovery.hierarchy(named: arguments[2])
  let facts = await KernelProbe.probe(launcherPath: launcherPath, cgroups: cgroups)
  let launcher = try Launcher(
    launcherPath: launcherPath, cgroups: cgroups, facts: facts, name: arguments[2])
  for line in launcher.sweep() { print(line) }
case "cycle" where arguments.count == 4:
  let cgroups = CgroupDiscovery.hierarchy(named: arguments[2])
  let facts = await KernelProbe.probe(launcherPath: launcherPath, cgroups: cgroups)
  let launcher = try Launcher(
    launcherPath: launcherPath, cgroups: cgroups, facts: facts, name: arguments[2])
  let kinds = ["calls", "threads", "descriptors", "processor", "forks"]
  func cycle(_ number: Int) async throws {
    var policy = SandboxPolicy(
      appID: "cycle", instance: "c\(number)",
      arguments: ["/app/attacker", "exhaust", kinds[number % kinds.count]],
      binds: [.code(directory + "/Attacker", at: "/app/attacker")],
      uid: geteuid() == 0 ? 61_301 : nil)
    policy.development = number % 2 == 0
    policy.limits.processes = 8
    let process = try await launcher.launch(policy)
    try await Task.sleep(for: .milliseconds(10))
    process.kill()
    await process.waitUntilGone()
  }
  for number in 0..<20 { try await cycle(number) }
  let before = (openDescriptors(), anonymousKiB())
  for number in 0..<(Int(arguments[3]) ?? 1) { try await cycle(100 + number) }
  print("descriptors", before.0, openDescriptors(), "memory", before.1, anonymousKiB())
  launcher.forget(app: "cycle")
case "doctor":
  let cgroups = CgroupDiscovery.hierarchy(named: "doctor-\(getpid())")
  let facts = await KernelProbe.probe(launcherPath: launcherPath, cgroups: cgroups)
  for report in facts.layers {
    print(report.layer.rawValue, report.state.rawValue, report.reason, report.fix ?? "")
  }
default:
  print("usage: SandboxTestHost serve NAME SECONDS COUNT | sweep NAME | cycle NAME COUNT | doctor")
  exit(64)
}
