// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox

// Launch of /bin/true under the full sandbox, as a waiting call sees it, against bwrap with the same
// binds and a bare C program; interleaved, medians. Usage: LaunchBenchmark [ROUNDS]

func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
}

let directory: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
  let path = String(
    decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return "/" + path.split(separator: "/").dropLast().joined(separator: "/")
}()

/// Starts a program and waits for it; microseconds.
func time(_ arguments: [String]) -> Double {
  var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
  defer { for pointer in pointers { free(pointer) } }
  let start = now()
  var pid: pid_t = 0
  let error = posix_spawnp(&pid, arguments[0], nil, nil, &pointers, environ)
  guard error == 0 else { return .nan }
  var status: Int32 = 0
  waitpid(pid, &status, 0)
  return status == 0 ? now() - start : .nan
}

/// The bare program measures itself: its own start does not count.
func bareTime() -> Double {
  guard let stream = popen(directory + "/LaunchBaseline 1", "r") else { return .nan }
  var line = [UInt8](repeating: 0, count: 64)
  let count = fread(&line, 1, line.count, stream)
  pclose(stream)
  return Double(String(decoding: line[..<max(0, count - 1)], as: UTF8.self)) ?? .nan
}

let rounds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 100 : 100
let pause = CommandLine.arguments.count > 2 ? UInt32(CommandLine.arguments[2]) ?? 0 : 0
let cgroups: any CgroupHierarchy =
  getenv("NO_CGROUPS") != nil ? NoCgroups() : CgroupDiscovery.hierarchy(named: "benchmark")
let launcher = try Launcher(
  launcherPath: directory + "/SandboxLaunch", cgroups: cgroups,
  facts: await KernelProbe.probe(launcherPath: directory + "/SandboxLaunch", cgroups: cgroups),
  name: "benchmark")
let bwrap = [
  "bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
  "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--ro-bind",
  "/etc/ssl/certs", "/etc/ssl/certs", "--ro-bind", "/etc/alternatives", "/etc/alternatives",
  "--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache", "--dev", "/dev", "--proc", "/proc",
  "--tmpfs", "/tmp", "/bin/true",
]
/// Nanoseconds of two system calls in a cell: one allowed by number, one by its argument.
func callCost(_ waived: Set<Layer>) async throws -> (Double, Double) {
  var pair: [Int32] = [-1, -1]
  guard pipe(&pair) == 0 else { return (.nan, .nan) }
  let process = try await launcher.launch(
    SandboxPolicy(
      appID: "benchmark", instance: "cost-\(waived.count)",
      arguments: ["/app/attacker", "show", "cost"],
      binds: [.code(directory + "/Attacker", at: "/app/attacker")],
      uid: geteuid() == 0 ? 61_111 : nil, allowWeaker: waived),
    LaunchDescriptors(stdout: pair[1]))
  close(pair[1])
  _ = await process.waitForExit()
  var buffer = [UInt8](repeating: 0, count: 64)
  let count = read(pair[0], &buffer, buffer.count)
  close(pair[0])
  await process.waitUntilGone()
  let words = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    .split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
  return words.count == 2 ? (words[0], words[1]) : (.nan, .nan)
}

var ours: [Double] = []
var ready: [Double] = []
var started: [Double] = []
var theirs: [Double] = []
var bare: [Double] = []
for round in 0..<rounds {
  let policy = SandboxPolicy(
    appID: "benchmark", instance: "r\(round)", arguments: ["/bin/true"],
    uid: geteuid() == 0 ? 61_111 : nil)
  if pause > 0 { usleep(pause) }
  let start = now()
  let process = try await launcher.launch(policy)
  started.append(now() - start)
  let exit = await process.waitForExit()
  ours.append(now() - start)
  guard exit.outcome == .exited(code: 0) else { fatalError("/bin/true: \(exit)") }
  await process.waitUntilGone()
  try await launcher.prepare(policy)
  let again = now()
  let second = try await launcher.launch(policy)
  let secondExit = await second.waitForExit()
  ready.append(now() - again)
  guard secondExit.outcome == .exited(code: 0) else { fatalError("/bin/true: \(secondExit)") }
  await second.waitUntilGone()
  theirs.append(time(bwrap))
  bare.append(bareTime())
}
/// Processor time of one reading of a running process's figures, in microseconds.
func usageCost() async throws -> Double {
  let process = try await launcher.launch(
    SandboxPolicy(
      appID: "benchmark", instance: "usage", arguments: ["/bin/sleep", "60"],
      uid: geteuid() == 0 ? 61_111 : nil))
  func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
  }
  let start = processorTime()
  for _ in 0..<1000 { _ = try process.usage() }
  let cost = (processorTime() - start) / 1000
  process.kill()
  await process.waitUntilGone()
  return cost
}

let reading = try await usageCost()
var filtered: [(Double, Double)] = []
var unfiltered: [(Double, Double)] = []
for _ in 0..<5 {
  filtered.append(try await callCost([]))
  unfiltered.append(try await callCost([.seccomp]))
}
launcher.forget(app: "benchmark")
print("launch of /bin/true, medians of \(rounds) interleaved rounds, ms")
for (name, values) in [
  ("bulkhead, cell ready", ready), ("bulkhead, cell built, to the end", ours),
  ("bulkhead, cell built, running", started), ("bwrap --unshare-all", theirs),
  ("bare C", bare),
] {
  let figure = (median(values) / 10).rounded() / 100
  print("  \(figure)\t\(name)")
}
print("one reading of a process's figures: \((reading * 10).rounded() / 10) µs of processor time")
print("a system call in a cell, medians of 5 runs of a million, ns: filtered, not filtered")
for (name, at) in [
  ("getppid, allowed by number", \(Double, Double).0), ("fcntl, allowed by argument", \.1),
] {
  print(
    "  \(median(filtered.map { $0[keyPath: at] }))\t\(median(unfiltered.map { $0[keyPath: at] }))\t\(name)"
  )
}
for profile in SandboxPolicy.Profile.allCases {
  let rules = SyscallListing.all(profile)
  let allowed = rules.filter { $0.kind != .refused }.count
  let checked = rules.filter { $0.kind == .checked }.count
  print(
    "profile \(profile.rawValue): \(allowed) system calls allowed, \(checked) of them by argument")
}
