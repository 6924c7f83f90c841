// SPDX-License-Identifier: Apache-2.0
import Glibc

/// System calls allowed for some arguments only. The errno is the one with which CPython, Node,
/// Deno, Go, the JVM and Swift were seen to carry on.
enum CheckedSyscalls {
  static let rules: [SyscallRule] = processes + sockets + files + timers

  private static let processes: [SyscallRule] = [
    .allow(
      "clone", when: .argument(0, lacks: Clone.newNamespaces | Clone.tracing), otherwise: EPERM,
      "threads and processes, but no namespace and no tracing of the child"),
    .allow(
      "futex", when: .argument(1, isOneOf: [0, 1, 3, 4, 5, 9, 10], ignoring: 128 | 256),
      otherwise: ENOSYS,
      "locks of every runtime; not the priority-inheriting kind, a source of kernel bugs"),
    .allow(
      "prctl",
      when: .argument(
        0, isOneOf: [1, 2, 3, 4, 7, 15, 16, 21, 23, 27, 29, 30, 36, 38, 39, 0x5356_4D41]),
      otherwise: EINVAL,
      "names, parent death, timer slack, dumpable, questions; never SECCOMP or MM"),
    .allow(
      "arch_prctl", when: .argument(0, isOneOf: [0x1002, 0x1003]), otherwise: EINVAL,
      "the dynamic loader sets the thread pointer; nothing else of it"),
    .allow(
      "personality", when: .argument(0, isOneOf: [0, 0xFFFF_FFFF]), otherwise: EPERM,
      "asking and the default; not a personality that undoes address randomisation"),
    .allow(
      "prlimit64", when: .argument(0, isOneOf: [0]), otherwise: EPERM,
      "its own bounds, not another process's"),
  ]

  private static let sockets = families + messages + options

  private static let families: [SyscallRule] = ["socket", "socketpair"].map {
    .allow(
      $0, when: .argument(0, isOneOf: [UInt32(AF_UNIX)]),
      .argument(1, isOneOf: [1, 2], ignoring: 0o4000 | 0o2000000),
      .argument(2, isOneOf: [0]), otherwise: EAFNOSUPPORT,
      "Unix stream and datagram sockets; every other family is a way out or a kernel bug")
  }

  private static let flagArguments: [(String, Int)] = [
    ("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3), ("recvfrom", 3), ("recvmsg", 2),
    ("recvmmsg", 3),
  ]

  private static let messages: [SyscallRule] = flagArguments.map { name, flags in
    .allow(
      name, when: .argument(flags, lacks: Message.refused), otherwise: EOPNOTSUPP,
      "messages on its sockets; out-of-band, zero-copy and spliced pages were kernel bugs")
  }

  private static let options: [SyscallRule] = [
    .allow(
      "setsockopt", when: .argument(1, isOneOf: [UInt32(SOL_SOCKET)]),
      .argument(2, isOneOf: [2, 4, 6, 7, 8, 9, 13, 15, 16, 18, 20, 21]), otherwise: ENOPROTOOPT,
      "buffer sizes, timeouts, keep-alive, credentials; no filter programs, no other level")
  ]

  private static let files: [SyscallRule] = [
    .allow(
      "ioctl",
      when: .argument(
        1, isOneOf: [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x5452]), otherwise: ENOTTY,
      "is it a terminal, bytes waiting, non-blocking, close-on-exec; no TIOCSTI, no device calls"),
    .allow(
      "fcntl",
      when: .argument(
        1,
        isOneOf: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 36, 37, 38, 1028, 1030, 1031, 1032, 1033, 1034]),
      otherwise: EINVAL,
      "flags, duplicates, locks, seals, pipe sizes; no signals on I/O, leases or notifications"),
    .allow(
      "pipe2", when: .argument(1, lacks: ~UInt32(0o4000 | 0o2000000 | 0o40000)),
      otherwise: EINVAL, "pipes; not the notification kind (watch_queue)"),
    .allow(
      "chmod", when: .argument(1, lacks: Mode.special), otherwise: EPERM, Mode.why),
    .allow(
      "fchmod", when: .argument(1, lacks: Mode.special), otherwise: EPERM, Mode.why),
    .allow(
      "fchmodat", when: .argument(2, lacks: Mode.special), otherwise: EPERM, Mode.why),
    .allow("creat", when: .argument(1, lacks: Mode.special), otherwise: EPERM, Mode.why),
    .allow("mkdir", when: .argument(1, lacks: Mode.special), otherwise: EPERM, Mode.why),
    .allow("mkdirat", when: .argument(2, lacks: Mode.special), otherwise: EPERM, Mode.why),
    .allow(
      "open", whenAny: [[.argument(1, lacks: Mode.creating)], [.argument(2, lacks: Mode.special)]],
      otherwise: EPERM, Mode.why),
    .allow(
      "openat",
      whenAny: [[.argument(2, lacks: Mode.creating)], [.argument(3, lacks: Mode.special)]],
      otherwise: EPERM, Mode.why),
  ]

  private static let timers: [SyscallRule] = [
    .allow(
      "timer_create", when: .argument(0, isOneOf: [0, 1, 7]), otherwise: EINVAL,
      "timers on the wall and monotonic clocks; CPU-time timers were kernel bugs"),
    .allow(
      "setitimer", when: .argument(0, isOneOf: [0]), otherwise: EINVAL,
      "ITIMER_REAL; CPU-time timers were kernel bugs"),
  ]

  enum Clone {
    /// NEWTIME is not among them: its bit belongs to the exit signal in `clone`.
    static let newNamespaces: UInt32 = 0x7E02_0000
    static let tracing: UInt32 = 0x0080_2000
  }
  enum Message {
    static let refused: UInt32 = 0x1 | 0x0400_0000 | 0x0800_0000
  }
  enum Mode {
    /// setuid and setgid.
    static let special: UInt32 = 0o6000
    /// O_CREAT or O_TMPFILE: only then is the mode read.
    static let creating: UInt32 = 0o100 | 0o20_000_000
    static let why = "files, but never with a setuid or setgid bit"
  }
}
