// SPDX-License-Identifier: Apache-2.0
// Attacks on files: special mode bits, read-only trees, the host's files, other processes' files,
// running what was written.
#include "attacker.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ATTACK(name, expression) \
  static long name(void) { return (long)(expression); }

static int scratch(const char *path) { return open(path, O_RDWR | O_CREAT, 0644); }

// Bits that make a program run as its owner
static long chmod_setuid(void) {
  if (scratch("/tmp/a") < 0) return 0;
  return chmod("/tmp/a", 04755);
}
ATTACK(fchmod_setgid, fchmod(scratch("/tmp/b"), 02755))
static long fchmodat_setuid(void) {
  if (scratch("/tmp/c") < 0) return 0;
  return syscall(SYS_fchmodat, -100, "/tmp/c", 06755);
}
static long fchmodat2_setuid(void) {
  if (scratch("/tmp/d") < 0) return 0;
  return syscall(452, -100, "/tmp/d", 06755, 0);
}
ATTACK(open_setuid, syscall(SYS_open, "/tmp/e", O_CREAT | O_WRONLY, 04755))
ATTACK(openat_setgid, syscall(SYS_openat, -100, "/tmp/f", O_CREAT | O_WRONLY, 02755))
ATTACK(open_unnamed_setuid, syscall(SYS_openat, -100, "/tmp", O_TMPFILE | O_WRONLY, 04755))
ATTACK(creat_setuid, syscall(SYS_creat, "/tmp/g", 04755))
ATTACK(mkdir_setgid, syscall(SYS_mkdir, "/tmp/h", 02755))
ATTACK(mkdirat_setgid, syscall(SYS_mkdirat, -100, "/tmp/i", 02755))
static long openat2_setuid(void) {
  uint64_t how[3] = {O_CREAT | O_WRONLY, 04755, 0};
  return syscall(SYS_openat2, -100, "/tmp/j", how, sizeof how);
}

// Writing where nothing is to be written
ATTACK(write_usr, open("/usr/bulkhead", O_CREAT | O_WRONLY, 0644))
ATTACK(write_app, open("/app/bulkhead", O_CREAT | O_WRONLY, 0644))
ATTACK(write_etc, open("/etc/passwd", O_WRONLY))
ATTACK(write_root, open("/bulkhead", O_CREAT | O_WRONLY, 0644))
ATTACK(write_dev, open("/dev/bulkhead", O_CREAT | O_WRONLY, 0644))
ATTACK(write_var, open("/var/bulkhead", O_CREAT | O_WRONLY, 0644))
ATTACK(remove_usr, unlink("/usr/bin/true"))
ATTACK(rename_root, rename("/etc", "/etd"))
/// Refused for being busy, read-only or another's, whichever the kernel looks at first.
ATTACK(write_own_program, open("/proc/self/exe", O_WRONLY) < 0 ? refused(EROFS) : 0)
ATTACK(write_own_memory, open("/proc/self/mem", O_RDWR))
ATTACK(write_id_map, open("/proc/self/uid_map", O_WRONLY))
ATTACK(write_oom_score, open("/proc/self/oom_score_adj", O_WRONLY))
ATTACK(write_core_pattern, open("/proc/sys/kernel/core_pattern", O_WRONLY))
ATTACK(trigger_sysrq, open("/proc/sysrq-trigger", O_WRONLY))
ATTACK(write_attributes, syscall(SYS_setxattr, "/tmp", "user.x", "y", 1, 0))

// Seeing what is not to be seen
ATTACK(read_shadow, open("/etc/shadow", O_RDONLY))
ATTACK(read_host_tmp, open("/tmp/bulkhead-canary", O_RDONLY))
ATTACK(read_host_home, open("/root/.profile", O_RDONLY))
ATTACK(read_sys, open("/sys/kernel/notes", O_RDONLY))
ATTACK(read_kernel_config, open("/proc/config.gz", O_RDONLY))
ATTACK(read_kernel_symbols, open("/proc/kallsyms", O_RDONLY))
ATTACK(read_command_line, open("/proc/cmdline", O_RDONLY))
ATTACK(read_interrupts, open("/proc/interrupts", O_RDONLY))
ATTACK(read_init_environment, open("/proc/1/environ", O_RDONLY))
ATTACK(read_init_memory_file, open("/proc/1/mem", O_RDONLY))
ATTACK(enter_init_root, open("/proc/1/root/etc/shadow", O_RDONLY))
ATTACK(enter_init_directory, open("/proc/1/cwd", O_RDONLY))
ATTACK(replace_launcher, open("/proc/1/exe", O_WRONLY))
ATTACK(open_memory_device, open("/dev/mem", O_RDONLY))
ATTACK(open_kernel_log, open("/dev/kmsg", O_RDONLY))
ATTACK(open_virtual_machine, open("/dev/kvm", O_RDWR))
ATTACK(open_disk, open("/dev/vda", O_RDONLY))
ATTACK(open_terminal, open("/dev/tty", O_RDWR))
ATTACK(open_fuse, open("/dev/fuse", O_RDWR))
ATTACK(open_tun, open("/dev/net/tun", O_RDWR))
ATTACK(host_sockets, open("/run/dbus/system_bus_socket", O_PATH))
ATTACK(link_to_shadow, symlink("/etc/shadow", "/tmp/k") < 0 ? 0 : open("/tmp/k", O_RDONLY))
ATTACK(climb_out, open("../../../../../../../../../../root/.profile", O_RDONLY))
ATTACK(climb_out_of_descriptor,
       openat(open("/proc/self/root", O_PATH | O_DIRECTORY), "../../../root/.profile", O_RDONLY))
ATTACK(hard_link_setuid, link("/usr/bin/su", "/tmp/su"))

/// Is any descriptor open that the test did not pass? It passes none above 2.
static long leaked_descriptor(void) {
  for (int number = 3; number < 4096; number++)
    if (fcntl(number, F_GETFD) >= 0) return number;
  return refused(EBADF);
}
/// Is any process listed that is not ours?
static long foreign_process(void) {
  DIR *directory = opendir("/proc");
  if (!directory) return -1;
  long seen = 0;
  for (struct dirent *entry; (entry = readdir(directory));) {
    int pid = atoi(entry->d_name);
    // pid 1 is hidden; ours are the first command (2) and what came after it.
    if (pid == 1 || pid > 4000) seen = pid;
  }
  return seen ? seen : refused(ENOENT);
}
static long foreign_environment(void) {
  // The test gives it exactly one variable.
  extern char **environ;
  return environ[0] && environ[1] ? 0 : refused(ENOENT);
}

// Running what was written
static long copy_program(const char *path) {
  char buffer[4096];
  int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_CREAT | O_WRONLY, 0755);
  for (ssize_t size; (size = read(from, buffer, sizeof buffer)) > 0;)
    if (write(to, buffer, (size_t)size) < 0) return -1;
  close(to);
  return 0;
}
static long run_from_tmp(void) {
  copy_program("/tmp/program");
  return execl("/tmp/program", "program", "show", "nothing", NULL);
}
static long run_from_shm(void) {
  copy_program("/dev/shm/program");
  return execl("/dev/shm/program", "program", "show", "nothing", NULL);
}
static long map_executable(void) {
  int file = scratch("/tmp/library");
  if (write(file, "\xc3", 1) < 0) return 0;
  return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED ? -1 : 0;
}
static long run_setuid(void) {
  // It may start, but never as anyone else.
  pid_t child = fork();
  if (child == 0) {
    execl("/usr/bin/su", "su", "-c", "true", NULL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? 0 : refused(EPERM);
}
static long dump_core(void) {
  pid_t child = fork();
  if (child == 0) abort();
  int status = 0;
  waitpid(child, &status, 0);
  return WCOREDUMP(status) ? 0 : refused(EPERM);
}

const struct attack file_attacks[] = {
#define ENTRY(name) {#name, name}
    ENTRY(chmod_setuid), ENTRY(fchmod_setgid), ENTRY(fchmodat_setuid), ENTRY(fchmodat2_setuid),
    ENTRY(open_setuid), ENTRY(openat_setgid), ENTRY(open_unnamed_setuid), ENTRY(creat_setuid),
    ENTRY(mkdir_setgid), ENTRY(mkdirat_setgid), ENTRY(openat2_setuid),
    ENTRY(write_usr), ENTRY(write_app), ENTRY(write_etc), ENTRY(write_root), ENTRY(write_dev),
    ENTRY(write_var), ENTRY(remove_usr), ENTRY(rename_root), ENTRY(write_own_program),
    ENTRY(write_own_memory), ENTRY(write_id_map), ENTRY(write_oom_score),
    ENTRY(write_core_pattern), ENTRY(trigger_sysrq), ENTRY(write_attributes),
    ENTRY(read_shadow), ENTRY(read_host_tmp), ENTRY(read_host_home), ENTRY(read_sys),
    ENTRY(read_kernel_config), ENTRY(read_kernel_symbols), ENTRY(read_command_line),
    ENTRY(read_interrupts), ENTRY(read_init_environment), ENTRY(read_init_memory_file),
    ENTRY(enter_init_root), ENTRY(enter_init_directory), ENTRY(replace_launcher),
    ENTRY(open_memory_device), ENTRY(open_kernel_log), ENTRY(open_virtual_machine),
    ENTRY(open_disk), ENTRY(open_terminal), ENTRY(open_fuse), ENTRY(open_tun), ENTRY(host_sockets),
    ENTRY(link_to_shadow), ENTRY(climb_out), ENTRY(climb_out_of_descriptor),
    ENTRY(hard_link_setuid), ENTRY(leaked_descriptor), ENTRY(foreign_process),
    ENTRY(foreign_environment), ENTRY(run_from_tmp), ENTRY(run_from_shm), ENTRY(map_executable),
    ENTRY(run_setuid), ENTRY(dump_core),
    {0},
};
