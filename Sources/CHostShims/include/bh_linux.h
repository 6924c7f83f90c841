// SPDX-License-Identifier: Apache-2.0
// System calls without a glibc wrapper in Debian 12, for the host side of the sandbox.
// Each returns what the kernel returned, or -errno.
#pragma once
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
// Not in Swift's Glibc module.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>

/// openat2(2) with O_CLOEXEC added and the given RESOLVE_* bits.
int bh_openat2(int directory, const char *path, uint64_t flags, uint32_t mode, uint64_t resolve);
/// pidfd_open(2).
int bh_pidfd_open(pid_t pid);
/// pidfd_send_signal(2).
int bh_pidfd_signal(int pidfd, int signal);
/// prlimit(2) of the soft RLIMIT_FSIZE. `was_other` gets 1 when it was another. 0 or an errno.
int bh_bound_files(pid_t pid, uint64_t bytes, int *was_other);
/// The Landlock ABI of this kernel, 0 when it has none.
int bh_landlock_abi(void);
/// 1 when seccomp knows the action (SECCOMP_RET_*).
int bh_seccomp_action_available(uint32_t action);

/// One message on a SOCK_SEQPACKET socket with descriptors beside it.
ssize_t bh_send(int socket, const void *bytes, size_t count, const int *descriptors, size_t n);
/// Receives one message without blocking. `pid` gets the sender's pid (SCM_CREDENTIALS) or 0,
/// `descriptor` the first descriptor sent beside it, or -1; further ones are closed.
ssize_t bh_receive(int socket, void *bytes, size_t capacity, pid_t *pid, int *descriptor);
/// A SOCK_SEQPACKET pair, close-on-exec; [0] is non-blocking and learns the sender's pid.
int bh_seqpacket_pair(int pair[2]);
/// posix_spawn of the launcher with the three sockets of bh_launch.h as descriptors 3, 4 and 5,
/// /dev/null as 0–2 and nothing else. Returns the pid, or -errno.
pid_t bh_spawn_launcher(const char *path, const char *mark, int control, int cell, int guest);

/// posix_spawn_file_actions_addclosefrom_np(3): the child gets no descriptor from `first` on. 0 or an errno.
int bh_close_from(posix_spawn_file_actions_t *actions, int first);

/// One call waiting for an answer on a seccomp listener.
struct bh_notification {
  uint64_t id;
  int32_t number;
  uint32_t architecture;
  uint64_t arguments[6];
};
/// SECCOMP_IOCTL_NOTIF_RECV: waits for a call; -ENOENT when it went away, -EBADF, -ENODEV when all
/// who could call are gone.
int bh_notification_receive(int listener, struct bh_notification *call);
/// SECCOMP_IOCTL_NOTIF_SEND: the call fails with `error`.
int bh_notification_answer(int listener, uint64_t id, int error);
