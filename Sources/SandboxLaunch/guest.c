// SPDX-License-Identifier: Apache-2.0
// The last steps, in the process that becomes the app: limits, descriptors, privileges, Landlock,
// and the filter last of all, because it forbids what the steps before it use.
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

extern char **environ;
static char *arguments[BH_STRINGS_MAX];
static char *environment[BH_STRINGS_MAX];

static void set_limits(const struct plan *plan) {
  struct cursor cursor = {plan, 0, 0};
  for (struct record record; next_record(&cursor, &record);) {
    if (record.type != BH_REC_RLIMIT) continue;
    current_index = record.index;
    struct bh_rlimit wanted;
    memcpy(&wanted, record.data, sizeof wanted);
    struct rlimit now, next = {wanted.soft, wanted.hard};
    if (getrlimit((int)wanted.resource, &now) < 0) fail(BH_STEP_RLIMIT);
    // Never above what the host itself may have: raising needs a capability we may not hold.
    if (next.rlim_max > now.rlim_max) next.rlim_max = now.rlim_max;
    if (next.rlim_cur > next.rlim_max) next.rlim_cur = next.rlim_max;
    if (setrlimit((int)wanted.resource, &next) < 0) fail(BH_STEP_RLIMIT);
  }
}

/// stdin is /dev/null; the rest land on their numbers; everything else closes on exec.
static void place_descriptors(const struct plan *plan, const int *received, size_t count) {
  uint32_t wanted[BH_DESCRIPTORS_MAX];
  size_t numbers = 0;
  struct cursor cursor = {plan, 0, 0};
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
  report_socket = fcntl(report_socket, F_DUPFD_CLOEXEC, 128);
  int empty = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (report_socket < 0 || empty < 0) fail(BH_STEP_DESCRIPTORS);
  for (int number = 0; number < 3; number++)
    if (dup2(empty, number) < 0) fail(BH_STEP_DESCRIPTORS);
  if (syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) < 0) fail(BH_STEP_DESCRIPTORS);
  for (size_t index = 0; index < count; index++)
    if (wanted[index] >= 128 || dup2(moved[index], (int)wanted[index]) < 0)
      fail(BH_STEP_DESCRIPTORS);
}

static void drop_capabilities(void) {
  // EINVAL ends the loop: the first number this kernel does not know.
  for (unsigned long capability = 0; capability < 64; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
      if (errno != EINVAL) fail(BH_STEP_CAPABILITIES);
      break;
    }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) fail(BH_STEP_CAPABILITIES);
  unsigned long locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                         SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                         SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (prctl(PR_SET_SECUREBITS, locked, 0, 0, 0) < 0) fail(BH_STEP_CAPABILITIES);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, none) < 0) fail(BH_STEP_CAPABILITIES);
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

/// Hands the listener to the host; its number travels with a RUNNING report.
static void send_listener(int listener) {
  struct bh_report report = {.kind = BH_REPORT_RUNNING};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
  struct iovec part = {&report, sizeof report};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  if (sendmsg(report_socket, &message, MSG_NOSIGNAL) < 0) fail(BH_STEP_FILTER);
  close(listener);
}

static void load_filter(const struct record *record, int notify) {
  struct sock_fprog program = {(unsigned short)(record->length / sizeof(struct sock_filter)),
                               (struct sock_filter *)(uintptr_t)record->data};
  if (!notify) {
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) fail(BH_STEP_FILTER);
    return;
  }
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener < 0) fail(BH_STEP_FILTER);
  send_listener((int)listener);
}

/// argv[0] as given when it holds a slash, else in each directory of the app's own PATH.
static _Noreturn void execute(const struct plan *plan) {
  if (strchr(arguments[0], '/')) {
    execve(arguments[0], arguments, environment);
    fail(BH_STEP_EXEC);
  }
  int error = ENOENT;
  struct cursor cursor = {plan, 0, 0};
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

_Noreturn void run_guest(const struct plan *plan, const int *descriptors, size_t count) {
  const char *directory = "/";
  struct bh_options options = {0};
  struct record filter = {0}, record;
  size_t argument_count = 0, environment_count = 0;
  struct cursor cursor = {plan, 0, 0};
  while (next_record(&cursor, &record)) switch (record.type) {
    case BH_REC_ARGUMENT: arguments[argument_count++] = (char *)(uintptr_t)record.data; break;
    case BH_REC_ENVIRONMENT: environment[environment_count++] = (char *)(uintptr_t)record.data; break;
    case BH_REC_DIRECTORY_CHANGE: directory = text(&record, 0); break;
    case BH_REC_OPTIONS: memcpy(&options, record.data, sizeof options); break;
    case BH_REC_FILTER: filter = record; break;
    default: break;
    }
  errno = EINVAL;
  if (argument_count == 0 || (!filter.data && !options.skip_filter)) fail(BH_STEP_READ_PLAN);
  // Started by a kernel that forgets it across fork; pid 1 dies with the monitor, we with pid 1.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) fail(BH_STEP_PARENT_DEATH);
  setsid();
  umask(022);
  sigset_t none;
  sigemptyset(&none);
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigaction(SIGTERM, &action, NULL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  place_descriptors(plan, descriptors, count);
  set_limits(plan);
  drop_capabilities();
  if (!options.skip_landlock) restrict_by_landlock(plan);
  if (chdir(directory) < 0) fail(BH_STEP_WORKING_DIRECTORY);
  send_report((struct bh_report){.kind = BH_REPORT_RUNNING});
  current_index = filter.index;
  if (!options.skip_filter) load_filter(&filter, options.notify != 0);
  execute(plan);
}
