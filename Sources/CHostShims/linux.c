// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "bh_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bh_launch.h"

static long result(long value) { return value < 0 ? -errno : value; }

int bh_openat2(int directory, const char *path, uint64_t flags, uint32_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  return (int)result(syscall(SYS_openat2, directory, path, &how, sizeof how));
}

int bh_pidfd_open(pid_t pid) { return (int)result(syscall(SYS_pidfd_open, pid, 0)); }

int bh_pidfd_signal(int pidfd, int number) {
  return (int)result(syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0));
}

int bh_bound_files(pid_t pid, uint64_t bytes, int *was_other) {
  struct rlimit bound;
  if (prlimit(pid, RLIMIT_FSIZE, NULL, &bound) < 0) return errno;
  if (bound.rlim_cur == bytes) return 0;
  bound.rlim_cur = bytes;
  if (prlimit(pid, RLIMIT_FSIZE, &bound, NULL) < 0) return errno;
  *was_other = 1;
  return 0;
}

int bh_landlock_abi(void) {
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
  return abi < 0 ? 0 : (int)abi;
}

int bh_seccomp_action_available(uint32_t action) {
  return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int) * BH_DESCRIPTORS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
};

ssize_t bh_send(int socket, const void *bytes, size_t count, const int *descriptors, size_t n) {
  if (n > BH_DESCRIPTORS_MAX) return -E2BIG;
  union control control;
  struct iovec part = {(void *)(uintptr_t)bytes, count};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (n > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
    control.header =
        (struct cmsghdr){CMSG_LEN(sizeof(int) * n), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), descriptors, sizeof(int) * n);
  }
  return result(sendmsg(socket, &message, MSG_NOSIGNAL));
}

ssize_t bh_receive(int socket, void *bytes, size_t capacity, pid_t *pid, int *descriptor) {
  union control control;
  struct iovec part = {bytes, capacity};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  *pid = 0;
  *descriptor = -1;
  ssize_t size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_CREDENTIALS) {
      struct ucred credentials;
      memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
      *pid = credentials.pid;
    } else if (header->cmsg_type == SCM_RIGHTS) {
      size_t sent = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t index = 0; index < sent; index++) {
        int received;
        memcpy(&received, CMSG_DATA(header) + index * sizeof(int), sizeof received);
        if (*descriptor < 0) *descriptor = received;
        else close(received);
      }
    }
  }
  return size;
}

int bh_seqpacket_pair(int pair[2]) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  int on = 1;
  if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) {
    int error = errno;
    close(pair[0]);
    close(pair[1]);
    return -error;
  }
  return 0;
}

int bh_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

pid_t bh_spawn_launcher(const char *path, const char *mark, int control, int cell, int guest) {
  // Above every number used below, so that no dup2 overwrites a source.
  int high[4] = {fcntl(control, F_DUPFD_CLOEXEC, 16), fcntl(cell, F_DUPFD_CLOEXEC, 16),
                 fcntl(guest, F_DUPFD_CLOEXEC, 16), open("/dev/null", O_RDWR | O_CLOEXEC)};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int number = 0; number < 3; number++)
    posix_spawn_file_actions_adddup2(&actions, high[3], number);
  posix_spawn_file_actions_adddup2(&actions, high[0], BH_CONTROL_FD);
  posix_spawn_file_actions_adddup2(&actions, high[1], BH_CELL_FD);
  posix_spawn_file_actions_adddup2(&actions, high[2], BH_GUEST_FD);
  posix_spawn_file_actions_addclosefrom_np(&actions, BH_GUEST_FD + 1);
  char *arguments[] = {BH_LAUNCHER_NAME, (char *)(uintptr_t)mark, NULL};
  char *environment[] = {NULL};
  pid_t pid = -1;
  int error = high[0] < 0 || high[1] < 0 || high[2] < 0 || high[3] < 0
                  ? EMFILE
                  : posix_spawn(&pid, path, &actions, NULL, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  for (int index = 0; index < 4; index++)
    if (high[index] >= 0) close(high[index]);
  return error ? -error : pid;
}

int bh_notification_receive(int listener, struct bh_notification *call) {
  // RECV on a listener without callers left would wait for ever: poll says POLLHUP then.
  struct pollfd event = {listener, POLLIN, 0};
  if (poll(&event, 1, -1) < 0) return -errno;
  if (!(event.revents & POLLIN)) return -ENODEV;
  struct seccomp_notif notification;
  memset(&notification, 0, sizeof notification);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) return -errno;
  call->id = notification.id;
  call->number = notification.data.nr;
  call->architecture = notification.data.arch;
  for (int index = 0; index < 6; index++) call->arguments[index] = notification.data.args[index];
  return 0;
}

int bh_notification_answer(int listener, uint64_t id, int error) {
  struct seccomp_notif_resp answer = {.id = id, .error = -error};
  return (int)result(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
}
