// SPDX-License-Identifier: Apache-2.0
import CHostShims
import Glibc
import Synchronization

/// Answers the calls a development guest is refused, with what production answers, and reports each
/// once. One thread per guest: a guest that floods it slows only itself.
final class NotificationServer: Sendable {
  private let listener: Int32
  private let filter: [FilterInstruction]
  private let counts: BlockedCounts
  private let sink: AsyncStream<BlockedCall>.Continuation

  init(
    listener: Int32, filter: [FilterInstruction], counts: BlockedCounts,
    sink: AsyncStream<BlockedCall>.Continuation
  ) {
    self.listener = listener
    self.filter = filter
    self.counts = counts
    self.sink = sink
  }

  func start() {
    var thread = pthread_t()
    let this = Unmanaged.passRetained(self)
    let error = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<NotificationServer>.fromOpaque(argument).takeRetainedValue().loop()
        return nil
      }, this.toOpaque())
    if error == 0 {
      pthread_detach(thread)
    } else {
      this.release()
      // With nobody listening the kernel answers ENOSYS: still refused.
      close(listener)
    }
  }

  private func loop() {
    defer { close(listener) }
    var seen: Set<BlockedCall> = []
    while true {
      var call = bh_notification()
      let received = bh_notification_receive(listener, &call)
      if received == -EINTR || received == -ENOENT { continue }
      guard received == 0 else { return }
      let data = SyscallData(
        number: UInt32(bitPattern: call.number), architecture: call.architecture,
        arguments: [
          call.arguments.0, call.arguments.1, call.arguments.2, call.arguments.3,
          call.arguments.4, call.arguments.5,
        ])
      let errno = FilterEvaluator.run(filter, on: data)?.errno ?? ENOSYS
      _ = bh_notification_answer(listener, call.id, errno)
      let blocked = BlockedCall(data, errno: errno)
      guard !BlockedCall.isNoise(blocked.name) else { continue }
      counts.add(blocked.name)
      // LIMIT: 256 different calls; a guest cannot make the log endless.
      guard seen.count < 256, seen.insert(blocked).inserted else { continue }
      sink.yield(blocked)
    }
  }
}

/// How often each call was refused since somebody asked. LIMIT: 256 names, more than the filter refuses by name.
final class BlockedCounts: Sendable {
  private let counts = Mutex<[String: Int]>([:])

  func add(_ name: String) {
    counts.withLock { counts in
      if counts.count < 256 || counts[name] != nil { counts[name, default: 0] += 1 }
    }
  }

  func take() -> [String: Int] {
    counts.withLock { counts in
      defer { counts = [:] }
      return counts
    }
  }
}

extension BlockedCall {
  /// Calls every runtime tries and does without.
  static func isNoise(_ name: String) -> Bool { ["clone3", "rseq"].contains(name) }

  init(_ data: SyscallData, errno: Int32) {
    name =
      SyscallFilter.name(of: data.number, on: .native) ?? "syscall \(data.number)"
    answer = errnoSymbols[errno] ?? "errno \(errno)"
    argument = Self.spell(name, data.arguments)
    advice = Self.advice(name, data.arguments)
  }

  private static let families: [UInt64: String] = [
    1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6", 16: "AF_NETLINK", 17: "AF_PACKET", 38: "AF_ALG",
    40: "AF_VSOCK",
  ]

  private static func spell(_ name: String, _ arguments: [UInt64]) -> String? {
    switch name {
    case "socket", "socketpair": families[arguments[0]] ?? "family \(arguments[0])"
    case "ioctl", "fcntl": "0x" + String(arguments[1], radix: 16)
    case "prctl", "personality": "\(arguments[0])"
    case "clone", "unshare": "0x" + String(arguments[0], radix: 16)
    default: nil
    }
  }

  private static func advice(_ name: String, _ arguments: [UInt64]) -> String? {
    switch name {
    case "socket" where arguments[0] == 2 || arguments[0] == 10:
      "use http.fetch for what lies outside; requests arrive on the guest socket"
    case "chmod", "fchmod", "fchmodat", "open", "openat", "creat", "mkdir", "mkdirat":
      "setuid and setgid bits are not allowed"
    case "memfd_create": "write a file in /tmp instead"
    case "ptrace", "process_vm_readv": "debuggers do not work inside"
    default: nil
    }
  }
}
