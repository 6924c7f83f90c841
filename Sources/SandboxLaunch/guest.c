// SPDX-License-Identifier: Apache-2.0
// The last steps, in the process that becomes the app: limits, privileges, Landlock, and the filter
// last of all, because it forbids what the steps before it use. Then it waits: what it is to run it
// learns only when it can do nothing more than the app may.
#include "launch.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

// Landlock by number: Debian 12's headers know ABI 2 only.
#define LANDLOCK_PATH_BENEATH 1
#define LANDLOCK_FILE_RIGHTS (1u << 0 | 1u << 1 | 1u << 2 | 1u << 14 | 1u << 15)
struct landlock_path {
  uint64_t rights;
  int32_t parent;
} __attribute__((packed));

static struct plan start_plan;
static char *arguments[BH_STRINGS_MAX];
static char *environment[BH_STRINGS_MAX];

/// All but the one on descriptors early; that one late, when they have been placed.
static void set_limits(const struct plan *plan, int late) {
  struct cursor cursor = {plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type != BH_REC_RLIMIT) continue;
    current_index = record.index;
    struct bh_rlimit wanted;
    memcpy(&wanted, record.data, sizeof wanted);
    if ((wanted.resource == RLIMIT_NOFILE) != late) continue;
    struct rlimit now, next = {wanted.soft, wanted.hard};
    if (getrlimit((int)wanted.resource, &now) < 0) fail(BH_STEP_RLIMIT);
    // Never above what the host itself may have: raising needs a capability we may not hold.
    if (next.rlim_max > now.rlim_max) next.rlim_max = now.rlim_max;
    if (next.rlim_cur > next.rlim_max) next.rlim_cur = next.rlim_max;
    if (setrlimit((int)wanted.resource, &next) < 0) fail(BH_STEP_RLIMIT);
  }
}

/// 0–2 are /dev/null unless said otherwise; the rest land on their numbers; everything else closes
/// on exec.
static void place_descriptors(const int *received, size_t count) {
  uint32_t wanted[BH_DESCRIPTORS_MAX];
  size_t numbers = 0;
  struct cursor cursor = {&start_plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type != BH_REC_DESCRIPTORS) continue;
    numbers = record.length / 4;
    memcpy(wanted, record.data, record.length);
  }
  errno = EINVAL;
  if (numbers != count) fail(BH_STEP_DESCRIPTORS);
  // Out of the way first, so that no source is overwritten before it is used.
  int moved[BH_DESCRIPTORS_MAX];
  for (size_t index = 0; index < count; index++) {
    moved[index] = fcntl(received[index], F_DUPFD_CLOEXEC, 128);
    if (moved[index] < 0) fail(BH_STEP_DESCRIPTORS);
  }
  int report = fcntl(report_socket, F_DUPFD_CLOEXEC, 128);
  if (report < 0) fail(BH_STEP_DESCRIPTORS);
  report_socket = report;
  if (syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0) fail(BH_STEP_DESCRIPTORS);
  for (size_t index = 0; index < count; index++)
    if (wanted[index] >= 128 || dup2(moved[index], (int)wanted[index]) < 0)
      fail(BH_STEP_DESCRIPTORS);
}

void drop_privileges(enum bh_step step) {
  // EINVAL ends the loop: the first number this kernel does not know.
  for (unsigned long capability = 0; capability < 64; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
      if (errno != EINVAL) fail(step);
      break;
    }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) fail(step);
  unsigned long locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                         SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                         SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (prctl(PR_SET_SECUREBITS, locked, 0, 0, 0) < 0) fail(step);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, none) < 0) fail(step);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail(BH_STEP_NO_NEW_PRIVILEGES);
}

static void restrict_by_landlock(const struct plan *plan) {
  struct bh_landlock handled;
  int rules = -1;
  struct cursor cursor = {plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type == BH_REC_LANDLOCK) {
      memcpy(&handled, record.data, sizeof handled);
      rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
      if (rules < 0) fail(BH_STEP_LANDLOCK);
    } else if (record.type == BH_REC_LANDLOCK_PATH && rules >= 0) {
      current_index = record.index;
      struct landlock_path rule;
      memcpy(&rule.rights, record.data, sizeof rule.rights);
      rule.parent = open(text(&record, sizeof rule.rights), O_PATH | O_CLOEXEC | O_NOFOLLOW);
      struct stat status;
      if (rule.parent < 0 || fstat(rule.parent, &status) < 0) fail(BH_STEP_LANDLOCK);
      if (!S_ISDIR(status.st_mode)) rule.rights &= LANDLOCK_FILE_RIGHTS;
      if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_PATH_BENEATH, &rule, 0) < 0)
        fail(BH_STEP_LANDLOCK);
      close(rule.parent);
    }
  }
  if (rules < 0) return;
  if (syscall(SYS_landlock_restrict_self, rules, 0) < 0) fail(BH_STEP_LANDLOCK);
  close(rules);
}

/// READY, with the filter's listener beside it when the host asked for one.
static void report_ready(int listener) {
  struct bh_report report = {.kind = BH_REPORT_READY};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
  struct iovec part = {&report, sizeof report};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (listener >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }
  if (sendmsg(report_socket, &message, MSG_NOSIGNAL) < 0) fail(BH_STEP_READ_PLAN);
  if (listener >= 0) close(listener);
}

/// Returns the listener, or -1 when none was asked for.
static int load_filter(const struct record *record, int notify) {
  struct sock_fprog program = {(unsigned short)(record->length / sizeof(struct sock_filter)),
                               (struct sock_filter *)(uintptr_t)record->data};
  long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program);
  if (result < 0) fail(BH_STEP_FILTER);
  return notify ? (int)result : -1;
}

static size_t receive_start(int descriptors[BH_DESCRIPTORS_MAX]) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * BH_DESCRIPTORS_MAX)];
  } control;
  struct iovec part = {start_plan.bytes, sizeof start_plan.bytes};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  ssize_t size;
  do size = recvmsg(report_socket, &message, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size == 0) _exit(0);  // The host gave this cell up.
  if (size < 0) fail(BH_STEP_READ_PLAN);
  start_plan.size = (size_t)size;
  errno = EMSGSIZE;
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) fail(BH_STEP_READ_PLAN);
  size_t count = 0;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
  }
  errno = EINVAL;
  if (!plan_is_valid(&start_plan)) fail(BH_STEP_READ_PLAN);
  return count;
}

/// argv[0] as given when it holds a slash, else in each directory of the app's own PATH.
static _Noreturn void execute(void) {
  if (strchr(arguments[0], '/')) {
    execve(arguments[0], arguments, environment);
    fail(BH_STEP_EXEC);
  }
  int error = ENOENT;
  struct cursor cursor = {&start_plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type != BH_REC_SEARCH) continue;
    static char path[4096];
    size_t directory = strlen(text(&record, 0)), name = strlen(arguments[0]);
    if (directory + name + 2 > sizeof path) continue;
    memcpy(path, text(&record, 0), directory);
    path[directory] = '/';
    memcpy(path + directory + 1, arguments[0], name + 1);
    execve(path, arguments, environment);
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  errno = error;
  fail(BH_STEP_EXEC);
}

/// All that confines the app; returns the filter's listener or -1.
static int confine(const struct plan *plan) {
  struct bh_options options = {0};
  struct record filter = {0};
  struct cursor cursor = {plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type == BH_REC_OPTIONS) memcpy(&options, record.data, sizeof options);
    if (record.type == BH_REC_FILTER) filter = record;
  }
  errno = EINVAL;
  if (!filter.data && !options.skip_filter) fail(BH_STEP_READ_PLAN);
  int empty = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int number = 0; number < 3; number++)
    if (empty < 0 || dup2(empty, number) < 0) fail(BH_STEP_DESCRIPTORS);
  set_limits(plan, 0);
  drop_privileges(BH_STEP_CAPABILITIES);
  if (!options.skip_landlock) restrict_by_landlock(plan);
  current_index = filter.index;
  return options.skip_filter ? -1 : load_filter(&filter, options.notify != 0);
}

_Noreturn void run_guest(const struct plan *plan) {
  close(BH_CELL_FD);
  report_socket = BH_GUEST_FD;
  // Fork forgets it; pid 1 dies with the monitor, we with pid 1.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail(BH_STEP_PARENT_DEATH);
  setsid();
  umask(022);
  sigset_t none;
  sigemptyset(&none);
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigaction(SIGTERM, &action, NULL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  report_ready(confine(plan));

  static int descriptors[BH_DESCRIPTORS_MAX];
  size_t count = receive_start(descriptors);
  const char *directory = "/";
  size_t argument_count = 0, environment_count = 0;
  struct cursor cursor = {&start_plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) switch (record.type) {
    case BH_REC_ARGUMENT: arguments[argument_count++] = (char *)(uintptr_t)record.data; break;
    case BH_REC_ENVIRONMENT: environment[environment_count++] = (char *)(uintptr_t)record.data; break;
    case BH_REC_DIRECTORY_CHANGE: directory = text(&record, 0); break;
    default: break;
    }
  errno = EINVAL;
  if (argument_count == 0) fail(BH_STEP_READ_PLAN);
  place_descriptors(descriptors, count);
  set_limits(plan, 1);
  if (chdir(directory) < 0) fail(BH_STEP_WORKING_DIRECTORY);
  execute();
}
