// SPDX-License-Identifier: Apache-2.0
// pid 1 of the cell: builds the root, forks the guest and stays as its reaper. The order of the steps and its reasons: docs/THREAT_MODEL.md.
#include "launch.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <stdio.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

static int root = -1;

static int open_path(int directory, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int open_bind(const struct record *record, int owner_map) {
  struct bh_bind bind;
  memcpy(&bind, record->data, sizeof bind);
  // The host resolved links when it made the plan; a link here appeared since.
  int source = open_path(AT_FDCWD, text(record, sizeof bind), O_NOFOLLOW,
                         RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  struct stat status;
  if (source < 0 || fstat(source, &status) < 0) fail(BH_STEP_BIND_SOURCE);
  mode_t wanted = bind.kind == BH_BIND_DIRECTORY ? S_IFDIR
                  : bind.kind == BH_BIND_FILE    ? S_IFREG
                                                 : S_IFCHR;
  if ((status.st_mode & S_IFMT) != wanted) {
    errno = bind.kind == BH_BIND_DIRECTORY ? ENOTDIR : EINVAL;
    fail(BH_STEP_BIND_SOURCE);
  }
  int tree = (int)syscall(SYS_open_tree, source, "",
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  if (tree < 0) fail(BH_STEP_BIND_SOURCE);
  close(source);
  struct mount_attr attributes = {.attr_set = bind.attributes, .propagation = MS_PRIVATE};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
              sizeof attributes) < 0)
    fail(BH_STEP_BIND_ATTRIBUTES);
  if (owner_map >= 0) {
    attributes = (struct mount_attr){.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)owner_map};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
      fail(BH_STEP_MAP_OWNER);
  }
  return tree;
}

/// As a plain user the sources are opened here, with the user's own rights.
static void open_missing_binds(const struct plan *plan, int trees[BH_BINDS_MAX]) {
  struct cursor cursor = {plan, 0, 0};
  struct record record;
  for (size_t count = 0; next_record(&cursor, &record);) {
    if (record.type != BH_REC_BIND) continue;
    current_index = record.index;
    if (trees[count] < 0) trees[count] = open_bind(&record, -1);
    count++;
  }
}

/// Blocks until the monitor says so; if the monitor is gone, so are we.
static void await_go(int go) {
  char byte;
  ssize_t received;
  do received = read(go, &byte, 1);
  while (received < 0 && errno == EINTR);
  if (received != 1) _exit(125);
}

/// When the whole machine runs out of memory, apps go before the host. Raising one's own score needs
/// no right; where it fails, nothing is lost but the order.
static void volunteer_for_memory_kill(void) {
  int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!write(file, "500", 3);
  close(file);
}

static void take_identity(const struct bh_identity *identity) {
  if (prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP) < 0 ||
      syscall(SYS_setresgid, identity->inside_gid, identity->inside_gid, identity->inside_gid) < 0 ||
      syscall(SYS_setresuid, identity->inside_uid, identity->inside_uid, identity->inside_uid) < 0)
    fail(BH_STEP_CREDENTIALS);
  // A change of credentials clears the parent-death signal; not dumpable: /proc/1 stays closed.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
    fail(BH_STEP_PARENT_DEATH);
}

static void forbid_user_namespaces(void) {
  // Through the host's own /proc, still there: the value belongs to the namespace of the writer.
  int file = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
  if (file < 0 || write(file, "0", 1) != 1) fail(BH_STEP_USER_NAMESPACES);
  close(file);
}

static void enter_new_root(void) {
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail(BH_STEP_PRIVATE_MOUNTS);
  if (mount("bulkhead", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
            "size=1m,nr_inodes=1024,mode=0755") < 0)
    fail(BH_STEP_ROOT);
  root = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0 || fchdir(root) < 0) fail(BH_STEP_ROOT);
}

static void mount_tmpfs(const struct record *record) {
  struct bh_tmpfs wanted;
  memcpy(&wanted, record->data, sizeof wanted);
  char options[96];
  snprintf(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=%o",
           (unsigned long long)wanted.bytes, (unsigned long long)wanted.inodes, wanted.mode);
  unsigned long flags = MS_NOSUID | MS_NODEV | (wanted.executable ? 0 : MS_NOEXEC);
  if (mount("tmpfs", text(record, sizeof wanted), "tmpfs", flags, options) < 0)
    fail(BH_STEP_TMPFS);
}

static void write_small_file(const struct record *record) {
  const char *content = second_text(record, 0);
  int file = openat(root, text(record, 0),
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  size_t length = strlen(content);
  if (file < 0 || (length > 0 && write(file, content, length) != (ssize_t)length))
    fail(BH_STEP_FILE);
  close(file);
}

static void attach(const struct record *record, int tree) {
  const char *path = second_text(record, sizeof(struct bh_bind));
  int target = open_path(root, path, O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (target < 0) fail(BH_STEP_BIND_TARGET);
  if (syscall(SYS_move_mount, tree, "", target, "",
              MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    fail(BH_STEP_BIND);
  close(target);
  close(tree);
}

/// Every path is relative to the new root, which is the working directory.
static void build_root(const struct plan *plan, const int trees[BH_BINDS_MAX]) {
  struct cursor cursor = {plan, 0, 0};
  struct record record;
  for (size_t binds = 0; next_record(&cursor, &record);) {
    current_index = record.index;
    struct bh_mode mode;
    switch (record.type) {
    case BH_REC_DIRECTORY:
      memcpy(&mode, record.data, sizeof mode);
      if (mkdirat(root, text(&record, sizeof mode), mode.mode) < 0) fail(BH_STEP_DIRECTORY);
      break;
    case BH_REC_SYMLINK:
      if (symlinkat(text(&record, 0), root, second_text(&record, 0)) < 0) fail(BH_STEP_SYMLINK);
      break;
    case BH_REC_FILE: write_small_file(&record); break;
    case BH_REC_TMPFS: mount_tmpfs(&record); break;
    case BH_REC_BIND: attach(&record, trees[binds++]); break;
    case BH_REC_PROC:
      if (mount("proc", "proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                text(&record, 0)) < 0)
        fail(BH_STEP_PROC);
      break;
    default: break;
    }
  }
}

static void leave_old_root(void) {
  struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
  if (syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
    fail(BH_STEP_READ_ONLY_ROOT);
  // The old root ends up on top of the new one, and is taken off it.
  if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
    fail(BH_STEP_PIVOT_ROOT);
  close(root);
}

/// The monitor's order to end. A sender outside has no pid here; from inside it means nothing.
static void end_all(int signal_number, siginfo_t *info, void *context) {
  (void)signal_number;
  (void)context;
  if (info->si_pid == 0) kill(-1, SIGKILL);
}

/// What a reaper needs and nothing else: should the guest ever reach pid 1, little is won.
static void lock_init(void) {
  struct sigaction ending = {.sa_sigaction = end_all, .sa_flags = SA_SIGINFO};
  sigset_t none;
  sigemptyset(&none);
  if (sigaction(SIGTERM, &ending, NULL) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
    fail(BH_STEP_LOCK_INIT);
  drop_privileges(BH_STEP_LOCK_INIT);
#define ALLOW(number) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
#if defined(__x86_64__)
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
#else
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0),
#endif
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      ALLOW(SYS_wait4), ALLOW(SYS_kill), ALLOW(SYS_sendto), ALLOW(SYS_exit_group),
      ALLOW(SYS_getrusage), ALLOW(SYS_rt_sigreturn),      ALLOW(SYS_restart_syscall),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
#undef ALLOW
  struct sock_fprog filter = {sizeof program / sizeof program[0], program};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0) fail(BH_STEP_LOCK_INIT);
}

static _Noreturn void reap_until(pid_t guest) {
  int status = 0;
  struct rusage usage = {0};
  for (;;) {
    pid_t pid = wait4(-1, &status, __WALL, NULL);
    if (pid == guest) break;
    if (pid < 0 && errno != EINTR) _exit(124);
  }
  // The app is over. What it left behind goes with it, reaped so that its CPU time is counted.
  kill(-1, SIGKILL);
  int ignored;
  for (pid_t pid; (pid = wait4(-1, &ignored, __WALL, NULL)) > 0 || errno == EINTR;) {
  }
  getrusage(RUSAGE_CHILDREN, &usage);
  send_report((struct bh_report){
      .kind = BH_REPORT_EXIT,
      .status = status,
      .has_status = 1,
      .user_microseconds = (uint64_t)usage.ru_utime.tv_sec * 1000000u + (uint64_t)usage.ru_utime.tv_usec,
      .system_microseconds = (uint64_t)usage.ru_stime.tv_sec * 1000000u + (uint64_t)usage.ru_stime.tv_usec,
      .peak_bytes = (uint64_t)usage.ru_maxrss * 1024u,
  });
  _exit(0);
}

_Noreturn void run_cell(const struct plan *plan, int go, int trees[BH_BINDS_MAX]) {
  report_socket = BH_CELL_FD;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail(BH_STEP_PARENT_DEATH);
  setsid();
  volunteer_for_memory_kill();
  await_go(go);
  struct bh_identity identity = {0};
  const char *hostname = "app";
  int namespaces = 0;
  struct cursor cursor = {plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type == BH_REC_IDENTITY) memcpy(&identity, record.data, sizeof identity);
    if (record.type == BH_REC_HOSTNAME) hostname = text(&record, 0);
    if (record.type == BH_REC_NO_USER_NAMESPACES) namespaces = 1;
  }
  take_identity(&identity);
  if (namespaces) forbid_user_namespaces();
  // keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL): a kernel without keyrings has none to leak.
  if (syscall(SYS_keyctl, 1, NULL) < 0 && errno != ENOSYS) fail(BH_STEP_SESSION_KEYRING);
  if (sethostname(hostname, strlen(hostname)) < 0) fail(BH_STEP_HOSTNAME);
  open_missing_binds(plan, trees);
  enter_new_root();
  build_root(plan, trees);
  leave_old_root();
  await_go(go);
  close(go);
  // Only now: the namespace's root is the cgroup the process is in when it is made.
  if (unshare(CLONE_NEWCGROUP) < 0) fail(BH_STEP_CGROUP_NAMESPACE);
  send_report((struct bh_report){.kind = BH_REPORT_INIT});
  pid_t guest = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (guest < 0) fail(BH_STEP_FORK);
  if (guest == 0) run_guest(plan);
  close(BH_GUEST_FD);
  lock_init();
  reap_until(guest);
}
