// SPDX-License-Identifier: Apache-2.0
// The least a sandboxed start can cost: clone3 into every namespace, a tmpfs root with two binds,
// pivot_root, a two-instruction filter, execve of /bin/true, wait. No limits, no identity, no
// Landlock, no report: not a sandbox to use, a yardstick.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(int failed, const char *what) {
  if (!failed) return;
  perror(what);
  _exit(1);
}

static void put(const char *path, const char *text) {
  int file = open(path, O_WRONLY);
  check(file < 0 || write(file, text, strlen(text)) < 0, path);
  close(file);
}

static void child(unsigned uid, unsigned gid) {
  char line[32];
  put("/proc/self/setgroups", "deny");
  snprintf(line, sizeof line, "%u %u 1", uid, uid);
  put("/proc/self/uid_map", line);
  snprintf(line, sizeof line, "%u %u 1", gid, gid);
  put("/proc/self/gid_map", line);
  check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
  check(mount("root", "/tmp", "tmpfs", 0, "size=1m"), "tmpfs");
  check(chdir("/tmp"), "chdir");
  check(mkdir("usr", 0755) || mkdir("dev", 0755) || symlink("usr/bin", "bin") ||
            symlink("usr/lib", "lib") || symlink("usr/lib64", "lib64"), "layout");
  check(mount("/usr", "usr", NULL, MS_BIND | MS_REC, NULL), "bind /usr");
  check(mount(NULL, "usr", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL), "remount");
  check(syscall(SYS_pivot_root, ".", ".") < 0, "pivot_root");
  check(umount2(".", MNT_DETACH), "umount");
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {2, program};
  check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0, "seccomp");
  char *arguments[] = {"/bin/true", NULL}, *environment[] = {NULL};
  execve("/bin/true", arguments, environment);
  check(1, "execve");
}

/// Runs it argv[1] times, prints the microseconds of each on a line.
int main(int count, char **arguments) {
  int runs = count > 1 ? atoi(arguments[1]) : 1;
  unsigned uid = geteuid(), gid = getegid();
  for (int run = 0; run < runs; run++) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    struct clone_args clone = {.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
                                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
                               .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &clone, sizeof clone);
    check(pid < 0, "clone3");
    if (pid == 0) child(uid, gid);
    int status;
    check(waitpid(pid, &status, 0) < 0 || status != 0, "wait");
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%ld\n", (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000);
  }
  return 0;
}
