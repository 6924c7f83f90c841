// SPDX-License-Identifier: Apache-2.0
import Glibc
import Sandbox
import Synchronization

/// One launcher for all tests of this process, and short ways to run a command in a cell.
enum Fixture {
  /// The launcher lies beside the test bundle.
  static let launcherPath: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let path = String(
      decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let directory = path.split(separator: "/").dropLast().joined(separator: "/")
    return "/" + directory + "/SandboxLaunch"
  }()

  static let cgroups = CgroupDiscovery.hierarchy(named: "tests-\(getpid())")
  private static let facts = Task {
    await KernelProbe.probe(launcherPath: launcherPath, cgroups: cgroups)
  }

  static func hostFacts() async -> HostFacts { await facts.value }

  private static let shared = Task { () throws -> Launcher in
    try Launcher(
      launcherPath: launcherPath, cgroups: cgroups, facts: await facts.value,
      name: "tests-\(getpid())")
  }

  static func launcher() async throws -> Launcher { try await shared.value }

  /// How many times longer to wait for what must come: 1, unless BULKHEAD_PATIENCE says more for a slow machine.
  static let patience = max(
    1, getenv("BULKHEAD_PATIENCE").flatMap { Int(String(cString: $0)) } ?? 1)

  static let isRoot = geteuid() == 0
  static let hasCgroups = cgroups.source != .proc
  private static let counter = Atomic<Int>(0)

  static func policy(_ arguments: String..., app: String = "test") -> SandboxPolicy {
    policy(arguments, app: app)
  }

  static func policy(_ arguments: [String], app: String = "test") -> SandboxPolicy {
    let number = counter.add(1, ordering: .relaxed).newValue
    return SandboxPolicy(
      appID: app, instance: "n\(number)", arguments: arguments,
      environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"], uid: isRoot ? 61_234 : nil)
  }

  struct Output: Sendable {
    var text: String
    var errors: String
    var exit: ExitReport
    var isSuccess: Bool { exit.outcome == .exited(code: 0) }
  }

  /// Runs to the end and collects what it wrote. LIMIT: 4 MiB of each stream.
  static func run(
    _ policy: SandboxPolicy, extra: [LaunchDescriptors.Passed] = [], with given: Launcher? = nil
  ) async throws -> Output {
    let output = try TextPipe()
    let errors = try TextPipe()
    let shared = try await launcher()
    let process = try await (given ?? shared).launch(
      policy, LaunchDescriptors(stdout: output.writeEnd, stderr: errors.writeEnd, extra: extra))
    output.closeWriteEnd()
    errors.closeWriteEnd()
    async let text = output.readAll()
    async let errorText = errors.readAll()
    let exit = await process.waitForExit()
    return Output(text: await text, errors: await errorText, exit: exit)
  }

  static func run(_ arguments: String...) async throws -> Output {
    try await run(policy(arguments))
  }

  /// Runs a shell script in a cell.
  static func shell(_ script: String) async throws -> Output {
    try await run(policy("/bin/sh", "-c", script))
  }
}

/// A pipe whose read end is drained on a thread of its own.
final class TextPipe: Sendable {
  private let ends: Mutex<(read: Int32, write: Int32)>

  init() throws {
    var pair: [Int32] = [-1, -1]
    guard pipe(&pair) == 0 else { throw SandboxError(.spawn, errno: errno, "pipe") }
    for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    ends = Mutex((pair[0], pair[1]))
  }

  var writeEnd: Int32 { ends.withLock { $0.write } }

  func closeWriteEnd() {
    ends.withLock { ends in
      if ends.write >= 0 { close(ends.write) }
      ends.write = -1
    }
  }

  func readAll() async -> String {
    let descriptor = ends.withLock { $0.read }
    return await withCheckedContinuation { continuation in
      onThread {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count < 4 << 20 {
          let count = read(descriptor, &buffer, buffer.count)
          guard count > 0 else { break }
          bytes += buffer[..<count]
        }
        close(descriptor)
        continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
      }
    }
  }
}

/// Runs blocking work off the cooperative pool.
func onThread(_ work: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }
  var thread = pthread_t()
  let box = Unmanaged.passRetained(Box(work))
  let error = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().work()
      return nil
    }, box.toOpaque())
  precondition(error == 0, "pthread_create failed with \(error)")
  pthread_detach(thread)
}
