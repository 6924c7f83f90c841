// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox

// A host to be killed by tests, and to look at a machine from inside a changed one.
//   SandboxTestHost serve NAME SECONDS COUNT   starts COUNT cells that sleep, prints "ready"
//   SandboxTestHost sweep NAME                 sweeps what an earlier NAME left, one line each
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
case "doctor":
  let cgroups = CgroupDiscovery.hierarchy(named: "doctor-\(getpid())")
  let facts = await KernelProbe.probe(launcherPath: launcherPath, cgroups: cgroups)
  for report in facts.layers {
    print(report.layer.rawValue, report.state.rawValue, report.reason, report.fix ?? "")
  }
default:
  print("usage: SandboxTestHost serve NAME SECONDS COUNT | sweep NAME | doctor")
  exit(64)
}
