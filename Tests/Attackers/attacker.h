// SPDX-License-Identifier: Apache-2.0
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/// Returns a negative number with errno when refused, anything else when it got through.
struct attack {
  const char *name;
  long (*run)(void);
};
/// Each ends with an entry without a name.
extern const struct attack kernel_attacks[];
extern const struct attack file_attacks[];

int exhaust(const char *what);
int show(const char *what, char **arguments);

/// For acts that succeed or fail without an errno of their own.
static inline long refused(int error) {
  errno = error;
  return -1;
}
