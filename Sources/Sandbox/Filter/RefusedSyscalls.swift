// SPDX-License-Identifier: Apache-2.0
import Glibc

/// System calls refused whatever their arguments. The default is ENOSYS, also for every number this
/// table does not know; it names them all the same, so that none is refused by oversight.
enum RefusedSyscalls {
  static let rules: [SyscallRule] = groups.flatMap { group in
    group.names.map { SyscallRule(name: $0, answer: .refuse(group.errno), why: group.why) }
  }

  private struct Group {
    var errno: Int32
    var why: String
    var names: [String]
    init(_ errno: Int32, _ why: String, _ names: [String]) {
      self.errno = errno
      self.why = why
      self.names = names
    }
  }

  private static let groups: [Group] = [
    Group(
      EPERM, "would fail without a capability; the usual answer keeps programs going",
      [
        "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "swapon", "swapoff",
        "reboot", "sethostname", "setdomainname", "iopl", "ioperm", "init_module",
        "finit_module", "delete_module", "settimeofday", "clock_settime", "clock_adjtime",
        "adjtimex", "acct", "quotactl", "quotactl_fd", "vhangup", "kexec_load",
        "kexec_file_load", "syslog", "open_by_handle_at", "fanotify_init", "fanotify_mark",
      ]),
    Group(
      EPERM, "changes who the process is; there is only one user inside",
      [
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid",
        "setfsgid", "setgroups", "capset",
      ]),
    Group(
      EPERM, "looks into or steers other processes",
      [
        "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
        "pidfd_getfd", "kcmp", "perf_event_open", "lookup_dcookie",
      ]),
    Group(EPERM, "loads programs into the kernel", ["bpf"]),
    Group(EPERM, "makes device nodes and pipes with names", ["mknod", "mknodat"]),
    Group(
      EPERM, "real-time and I/O scheduling can starve others",
      [
        "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_getattr",
        "sched_rr_get_interval", "ioprio_set", "ioprio_get",
      ]),
    Group(
      EOPNOTSUPP,
      "reserves blocks at once, and past the file-size limit (FALLOC_FL_KEEP_SIZE); callers write",
      ["fallocate"]),
    Group(
      EOPNOTSUPP, "extended attributes: not offered, and tools carry on",
      [
        "setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "listxattr",
        "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr",
      ]),
    Group(
      EINVAL, "moves pages between files and pipes (Dirty Pipe, Copy Fail); callers then copy",
      ["splice", "tee", "vmsplice", "sendfile"]),
    Group(
      ENOSYS, "clone with its arguments behind a pointer; libraries fall back to clone",
      ["clone3"]),
    Group(
      ENOSYS, "openat with its mode behind a pointer; libraries fall back to openat", ["openat2"]),
    Group(
      ENOSYS, "a large surface with a record of kernel bugs; runtimes do without",
      [
        "io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "io_destroy",
        "io_getevents", "io_submit", "io_cancel", "io_pgetevents", "userfaultfd", "memfd_create",
        "memfd_secret", "execveat", "modify_ldt", "futex_waitv",
      ]),
    Group(
      ENOSYS, "kernel key rings are shared with the host", ["add_key", "request_key", "keyctl"]),
    Group(
      ENOSYS, "System V and POSIX queues: objects that outlive a process, and kernel bugs",
      [
        "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop", "msgget",
        "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive",
        "mq_notify", "mq_getsetattr",
      ]),
    Group(
      ENOSYS, "memory placement across nodes: tuning with a record of kernel bugs",
      [
        "mbind", "set_mempolicy", "get_mempolicy", "migrate_pages", "move_pages",
        "set_mempolicy_home_node", "remap_file_pages", "mlockall", "munlockall",
      ]),
    Group(
      ENOSYS, "the new mount calls",
      [
        "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
        "name_to_handle_at",
      ]),
    Group(
      ENOSYS, "a filter of the guest's own could override ours (user-notify)", ["seccomp"]),
    Group(
      ENOSYS, "rules of the guest's own: not needed inside",
      ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]),
    Group(
      ENOSYS, "flushes every file system of the host; fsync does its own", ["sync", "syncfs"]),
    Group(
      ENOSYS, "newer than this table, or than the library that gives names their numbers",
      [
        "cachestat", "fchmodat2", "map_shadow_stack", "futex_wake", "futex_wait", "futex_requeue",
        "statmount", "listmount", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules",
        "mseal", "uretprobe", "uprobe", "setxattrat", "getxattrat", "listxattrat",
        "removexattrat", "open_tree_attr", "file_getattr", "file_setattr", "listns",
      ]),
    Group(ENOSYS, "unused by any runtime seen", ["futimesat", "readahead"]),
    Group(ENOSYS, "reads robust futex lists of others", ["get_robust_list"]),
    Group(
      ENOSYS, "obsolete or never implemented",
      [
        "uselib", "ustat", "sysfs", "_sysctl", "create_module", "get_kernel_syms", "query_module",
        "nfsservctl", "getpmsg", "putpmsg", "afs_syscall", "tuxcall", "security", "set_thread_area",
        "get_thread_area", "epoll_ctl_old", "epoll_wait_old", "vserver",
      ]),
  ]

  /// What the native profile turns from refused into allowed.
  static let native: [SyscallRule] = [
    .allow("sendfile", "Foundation's copyItem fails with any errno instead of copying itself"),
    // FUTEX_LOCK_PI, UNLOCK_PI, TRYLOCK_PI and LOCK_PI2; the requeueing pair (11, 12), the way into
    // CVE-2026-43499, stays refused. See docs/decisions/0004-priority-inheritance.md.
    .allow(
      "futex",
      when: .argument(1, isOneOf: [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 13], ignoring: 128 | 256),
      otherwise: ENOSYS,
      "Swift's Mutex and libdispatch wait with priority inheritance and end the process without it"),
  ]
}
