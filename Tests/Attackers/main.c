// SPDX-License-Identifier: Apache-2.0
// A hostile guest. `attacker` tries every forbidden act in a process of its own and prints one line
// for each: the name and what came of it ("refused EPERM", "killed SIGSYS", "GOT IT").
// `attacker exhaust <what>` uses up one resource; `attacker show <what>` prints facts for a test.
#include "attacker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

static long *outcome;

static const char *name_of(int error) {
  switch (error) {
#define NAME(value) case value: return #value
    NAME(EPERM); NAME(ENOENT); NAME(ESRCH); NAME(EIO); NAME(E2BIG); NAME(EBADF); NAME(EAGAIN);
    NAME(ENOMEM); NAME(EACCES); NAME(EFAULT); NAME(EBUSY); NAME(EEXIST); NAME(EXDEV); NAME(ENODEV);
    NAME(EINVAL); NAME(EMFILE); NAME(ENOTTY); NAME(ETXTBSY); NAME(EFBIG); NAME(ENOSPC); NAME(EROFS);
    NAME(ENOSYS); NAME(ELOOP); NAME(EOPNOTSUPP); NAME(EAFNOSUPPORT); NAME(ENOPROTOOPT);
    NAME(ECONNREFUSED); NAME(EPROTONOSUPPORT); NAME(ENXIO); NAME(ENOTDIR);
#undef NAME
  default: return NULL;
  }
}

static void attempt(const struct attack *attack) {
  *outcome = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    errno = 0;
    long result = attack->run();
    *outcome = result < 0 ? -errno : result;
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) {
    printf("%s: could not be tried\n", attack->name);
    return;
  }
  if (WIFSIGNALED(status)) {
    printf("%s: killed %s\n", attack->name,
           WTERMSIG(status) == SIGSYS ? "SIGSYS" : WTERMSIG(status) == SIGSEGV ? "SIGSEGV" : "other");
  } else if (*outcome >= 0) {
    printf("%s: GOT IT\n", attack->name);
  } else if (name_of((int)-*outcome)) {
    printf("%s: refused %s\n", attack->name, name_of((int)-*outcome));
  } else {
    printf("%s: refused %ld\n", attack->name, -*outcome);
  }
}

int main(int count, char **arguments) {
  // Outside a cell, as root, some of these acts would succeed.
  if (getuid() == 0) {
    fputs("attacker: only to be run inside a cell, never as root\n", stderr);
    return 64;
  }
  if (count == 3 && strcmp(arguments[1], "exhaust") == 0) return exhaust(arguments[2]);
  if (count >= 3 && strcmp(arguments[1], "show") == 0) return show(arguments[2], arguments + 3);
  outcome = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (outcome == MAP_FAILED) return 2;
  const char *only = count == 2 ? arguments[1] : NULL;
  for (const struct attack *attack = kernel_attacks; attack->name; attack++)
    if (!only || strcmp(only, attack->name) == 0) attempt(attack);
  for (const struct attack *attack = file_attacks; attack->name; attack++)
    if (!only || strcmp(only, attack->name) == 0) attempt(attack);
  return 0;
}
