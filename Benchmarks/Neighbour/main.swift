// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox

// What a guest's neighbour costs it: round trips to a sealed echo guest while nobody, and while a
// hostile guest, does its worst. p50 and p99 in microseconds. Usage: NeighbourBenchmark [ROUND_TRIPS]

let directory: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
  let path = String(
    decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return "/" + path.split(separator: "/").dropLast().joined(separator: "/")
}()
let rounds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 5000 : 5000
let launcherPath = directory + "/SandboxLaunch"
let cgroups = CgroupDiscovery.hierarchy(named: "neighbour")
let launcher = try Launcher(
  launcherPath: launcherPath, cgroups: cgroups,
  facts: await KernelProbe.probe(launcherPath: launcherPath, cgroups: cgroups), name: "neighbour")
let uid: UInt32? = geteuid() == 0 ? 61_112 : nil

func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}

/// Round trips of one byte to an echo guest on its own socket.
func roundTrips() async throws -> [Double] {
  var pair: [Int32] = [-1, -1]
  guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else { return [] }
  let echo = try await launcher.launch(
    SandboxPolicy(
      appID: "served", instance: "echo", arguments: ["/app/attacker", "show", "echo"],
      binds: [.code(directory + "/Attacker", at: "/app/attacker")], uid: uid),
    LaunchDescriptors(extra: [.init(host: pair[1], inside: 3)]))
  close(pair[1])
  var times: [Double] = []
  var byte: UInt8 = 1
  for _ in 0..<rounds {
    let start = now()
    guard write(pair[0], &byte, 1) == 1, read(pair[0], &byte, 1) == 1 else { break }
    times.append(now() - start)
    // A pause, as between requests: without one the guest never leaves its processor.
    usleep(200)
  }
  close(pair[0])
  echo.kill()
  await echo.waitUntilGone()
  return times.sorted()
}

func report(_ name: String, _ times: [Double], quiet: Double?) -> Double {
  guard !times.isEmpty else { return .nan }
  let p99 = times[times.count * 99 / 100]
  let ratio = quiet.map { "\t\((p99 / $0 * 100).rounded() / 100)x" } ?? ""
  print("  \(name)\t\(times[times.count / 2].rounded())\t\(p99.rounded())\(ratio)")
  return p99
}

print("\(rounds) round trips to a sealed guest, µs: neighbour, p50, p99, p99 against quiet")
let quiet = report("none", try await roundTrips(), quiet: nil)
for kind in ["forks", "memory", "processor", "threads", "scratch", "log", "calls"] {
  var policy = SandboxPolicy(
    appID: "hostile", instance: kind, arguments: ["/app/attacker", "exhaust", kind],
    binds: [.code(directory + "/Attacker", at: "/app/attacker")], uid: uid)
  policy.limits.cpuCores = 0.5
  policy.limits.memoryBytes = 64 << 20
  policy.limits.processes = 24
  let hostile = try await launcher.launch(policy)
  _ = report(kind, try await roundTrips(), quiet: quiet)
  hostile.kill()
  await hostile.waitUntilGone()
}
launcher.forget(app: "served")
launcher.forget(app: "hostile")
