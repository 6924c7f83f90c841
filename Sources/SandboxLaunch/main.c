// SPDX-License-Identifier: Apache-2.0
// The monitor: stays outside the cell, so that whatever happens inside (an out-of-memory kill of the
// whole cgroup, a fork bomb) someone is left to say what happened and to clean up.
#include "launch.h"

#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <grp.h>

int report_socket = BH_CONTROL_FD;
uint32_t current_index;
static struct plan cell_plan;
static pid_t host;

void send_report(struct bh_report report) {
  // The host may be gone; then nobody is left to tell and the caller ends anyway.
  (void)!send(report_socket, &report, sizeof report, MSG_NOSIGNAL);
}

_Noreturn void fail(enum bh_step step) {
  send_report((struct bh_report){
      .kind = BH_REPORT_FAILED, .step = step, .error = errno, .index = current_index});
  _exit(125);
}

/// SIGTERM comes from the kernel when the spawning thread of the host ends (PR_SET_PDEATHSIG), or
/// from anyone; only `host_is_gone` decides what it means.
static void interrupted(int signal_number) { (void)signal_number; }
static int host_is_gone(void) { return getppid() != host; }

static void write_file(const char *path, const char *content) {
  int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) fail(BH_STEP_ID_MAP);
  size_t length = strlen(content);
  if (write(file, content, length) != (ssize_t)length) fail(BH_STEP_ID_MAP);
  close(file);
}

/// One line per map: `inside` is known as `outside` to the host.
static void write_id_maps(pid_t pid, uint32_t inside_uid, uint32_t outside_uid,
                          uint32_t inside_gid, uint32_t outside_gid) {
  char path[64], line[64];
  // Without this an unprivileged gid map is refused; with it no process inside can drop a group.
  snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
  write_file(path, "deny");
  snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
  snprintf(line, sizeof line, "%u %u 1", inside_uid, outside_uid);
  write_file(path, line);
  snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
  snprintf(line, sizeof line, "%u %u 1", inside_gid, outside_gid);
  write_file(path, line);
}

/// A user namespace whose only use is to describe an idmapped mount: on-disk `owner` is shown as the
/// app. It lives as long as the returned descriptor and the mounts made with it.
static int owner_map(uid_t owner, gid_t group, const struct bh_identity *identity) {
  struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) fail(BH_STEP_MAP_OWNER);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  write_id_maps(pid, owner, identity->outside_uid, group, identity->outside_gid);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
  int map = open(path, O_RDONLY | O_CLOEXEC);
  if (map < 0) fail(BH_STEP_MAP_OWNER);
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
  return map;
}

/// As root the sources are opened here, outside the user namespace: only here may a mount be
/// idmapped, and only here are directories below a 0700 home reachable.
static void open_binds(const struct bh_identity *identity, int trees[BH_BINDS_MAX]) {
  struct cursor cursor = {&cell_plan, 0, 0};
  struct record record;
  int map = -1;
  uid_t mapped_owner = 0;
  gid_t mapped_group = 0;
  for (size_t count = 0; next_record(&cursor, &record);) {
    if (record.type != BH_REC_BIND) continue;
    current_index = record.index;
    struct bh_bind bind;
    memcpy(&bind, record.data, sizeof bind);
    struct stat status;
    int mapped = 0;
    if (bind.map_owner) {
      if (lstat(text(&record, sizeof bind), &status) < 0) fail(BH_STEP_BIND_SOURCE);
      mapped = status.st_uid != identity->outside_uid;
      if (mapped && (map < 0 || mapped_owner != status.st_uid || mapped_group != status.st_gid)) {
        if (map >= 0) close(map);
        map = owner_map(mapped_owner = status.st_uid, mapped_group = status.st_gid, identity);
      }
    }
    trees[count++] = open_bind(&record, mapped ? map : -1);
  }
  if (map >= 0) close(map);
}

static void join_cgroups(pid_t pid) {
  struct cursor cursor = {&cell_plan, 0, 0};
  struct record record;
  char line[16];
  int length = snprintf(line, sizeof line, "%d", pid);
  while (next_record(&cursor, &record)) {
    if (record.type != BH_REC_CGROUP_PROCS) continue;
    current_index = record.index;
    int file = open(text(&record, 0), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0 || write(file, line, (size_t)length) != length) fail(BH_STEP_JOIN_CGROUP);
    close(file);
  }
}

/// The host removes its cgroups itself; this is for when it can no longer.
static void remove_cgroups(void) {
  struct cursor cursor = {&cell_plan, 0, 0};
  struct record record;
  while (next_record(&cursor, &record)) {
    if (record.type == BH_REC_CGROUP_PARENT) rmdir(text(&record, 0));
    if (record.type != BH_REC_CGROUP_REMOVE) continue;
    // LIMIT: 200 tries of 5 ms: a dying process can keep its cgroup busy for a moment.
    for (int tries = 0; tries < 200 && rmdir(text(&record, 0)) < 0 && errno == EBUSY; tries++)
      poll(NULL, 0, 5);
  }
}

static pid_t clone_cell(const char *cgroup, int *pidfd) {
  struct clone_args arguments = {
      .flags = CLONE_PIDFD | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
               CLONE_NEWIPC | CLONE_NEWUTS,
      .pidfd = (uint64_t)(uintptr_t)pidfd,
      .exit_signal = SIGCHLD,
  };
  if (cgroup) {
    int directory = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (directory < 0) fail(BH_STEP_OPEN_CGROUP);
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)directory;
  }
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) fail(BH_STEP_CLONE);
  if (pid > 0 && cgroup) close((int)arguments.cgroup);
  return pid;
}

/// Waits for the end of the cell, of the host, or for an order; returns when pid 1 is reaped.
static void watch(pid_t pid, int pidfd, const sigset_t *open_mask) {
  int orphaned = 0, ending = 0;
  for (;;) {
    struct pollfd events[2] = {{pidfd, POLLIN, 0}, {orphaned ? -1 : BH_CONTROL_FD, POLLIN, 0}};
    struct timespec patience = {1, 0};
    int ready = ppoll(events, 2, ending ? &patience : NULL, open_mask);
    if (ready < 0 && errno != EINTR) break;
    if (ready >= 0 && events[0].revents) break;
    if (ready == 0) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    int gone = host_is_gone();
    if (ready > 0 && events[1].revents) {
      char order = 0;
      ssize_t received = recv(BH_CONTROL_FD, &order, 1, MSG_DONTWAIT);
      gone |= received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR);
      if (received == 1 && order == BH_ORDER_KILL)
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
      if (received == 1 && order == BH_ORDER_END) {
        ending = 1;
        syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
      }
    }
    if (gone && !orphaned) {
      orphaned = 1;
      syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    }
  }
  struct rusage usage = {0};
  int status = 0;
  while (wait4(pid, &status, __WALL, &usage) < 0 && errno == EINTR) {
  }
  send_report((struct bh_report){
      .kind = BH_REPORT_EXIT,
      .status = status,
      .user_microseconds = (uint64_t)usage.ru_utime.tv_sec * 1000000u + (uint64_t)usage.ru_utime.tv_usec,
      .system_microseconds = (uint64_t)usage.ru_stime.tv_sec * 1000000u + (uint64_t)usage.ru_stime.tv_usec,
      .peak_bytes = (uint64_t)usage.ru_maxrss * 1024u,
  });
}

/// A clean start: no signal inherited as ignored or blocked, death of the host noticed.
static void prepare(sigset_t *open_mask) {
  host = getppid();
  struct sigaction action = {.sa_handler = SIG_DFL};
  for (int number = 1; number < 32; number++) sigaction(number, &action, NULL);
  // The ones above by system call: the C library keeps 32 and 33 to itself.
  uint64_t by_default[4] = {0};
  for (int number = 32; number <= 64; number++)
    syscall(SYS_rt_sigaction, number, by_default, NULL, 8);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigprocmask(SIG_SETMASK, &blocked, open_mask);
  sigemptyset(open_mask);
  setsid();
  umask(0);
  action.sa_handler = interrupted;
  sigaction(SIGTERM, &action, NULL);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
}

int main(void) {
  sigset_t open_mask;
  prepare(&open_mask);
  ssize_t size = recv(BH_CONTROL_FD, cell_plan.bytes, sizeof cell_plan.bytes, MSG_TRUNC);
  if (size == 0) return 0;  // The host is gone, or no longer needs this one.
  if (size < 0 || (size_t)size > sizeof cell_plan.bytes) fail(BH_STEP_READ_PLAN);
  cell_plan.size = (size_t)size;
  errno = EINVAL;
  if (!plan_is_valid(&cell_plan)) fail(BH_STEP_READ_PLAN);

  struct bh_identity identity = {0};
  const char *cgroup = NULL;
  struct cursor cursor = {&cell_plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type == BH_REC_IDENTITY) memcpy(&identity, record.data, sizeof identity);
    if (record.type == BH_REC_CGROUP_INTO) cgroup = text(&record, 0);
  }
  static int trees[BH_BINDS_MAX];
  for (size_t index = 0; index < BH_BINDS_MAX; index++) trees[index] = -1;
  if (identity.privileged) {
    if (setgroups(0, NULL) < 0) fail(BH_STEP_CREDENTIALS);
    open_binds(&identity, trees);
  }

  int go[2], pidfd = -1;
  if (pipe2(go, O_CLOEXEC) < 0) fail(BH_STEP_CLONE);
  pid_t pid = clone_cell(cgroup, &pidfd);
  if (pid == 0) {
    close(go[1]);
    close(BH_CONTROL_FD);
    run_cell(&cell_plan, go[0], trees);
  }
  close(go[0]);
  close(BH_CELL_FD);
  close(BH_GUEST_FD);
  for (size_t index = 0; index < BH_BINDS_MAX && trees[index] >= 0; index++) close(trees[index]);
  // Two bytes: the first once the identity is there, the second once the limits are.
  write_id_maps(pid, identity.inside_uid, identity.outside_uid, identity.inside_gid,
                identity.outside_gid);
  (void)!write(go[1], "i", 1);
  join_cgroups(pid);
  (void)!write(go[1], "c", 1);
  close(go[1]);

  watch(pid, pidfd, &open_mask);
  // The host reads the report, clears up and says so; if it goes without a word, it died.
  char order = 0;
  while (recv(BH_CONTROL_FD, &order, 1, 0) > 0) {
  }
  if (order != BH_ORDER_DONE) remove_cgroups();
  return 0;
}
