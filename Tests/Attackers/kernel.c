// SPDX-License-Identifier: Apache-2.0
// Attacks by system call: namespaces, mounts, tracing, keys, programs in the kernel, sockets,
// identity, clocks, other architectures.
#include "attacker.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#define ATTACK(name, expression) \
  static long name(void) { return (long)(expression); }
#define CALL(name, ...) ATTACK(name, syscall(__VA_ARGS__))

// Namespaces
CALL(unshare_user, SYS_unshare, CLONE_NEWUSER)
CALL(unshare_mount, SYS_unshare, CLONE_NEWNS)
CALL(unshare_pid, SYS_unshare, CLONE_NEWPID)
CALL(unshare_net, SYS_unshare, CLONE_NEWNET)
CALL(unshare_ipc, SYS_unshare, CLONE_NEWIPC)
CALL(unshare_uts, SYS_unshare, CLONE_NEWUTS)
CALL(unshare_cgroup, SYS_unshare, CLONE_NEWCGROUP)
CALL(unshare_time, SYS_unshare, CLONE_NEWTIME)
static long clone_user(void) {
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid;
}
static long clone3_user(void) {
  struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  return pid;
}
static long clone_traced(void) {
  long pid = syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid;
}
static long setns_net(void) {
  int file = open("/proc/self/ns/net", O_RDONLY);
  if (file < 0) return -1;
  return syscall(SYS_setns, file, CLONE_NEWNET);
}

// Mounts
CALL(mount_tmpfs, SYS_mount, "x", "/tmp", "tmpfs", 0, 0)
CALL(mount_bind, SYS_mount, "/usr", "/tmp", 0, 4096, 0)
CALL(mount_remount, SYS_mount, 0, "/usr", 0, 32 | 4096, 0)
CALL(mount_proc, SYS_mount, "proc", "/tmp", "proc", 0, 0)
CALL(umount_usr, SYS_umount2, "/usr", 2)
CALL(pivot, SYS_pivot_root, "/tmp", "/tmp")
CALL(change_root, SYS_chroot, "/tmp")
CALL(new_open_tree, SYS_open_tree, -100, "/usr", 1)
CALL(new_fsopen, SYS_fsopen, "tmpfs", 0)
CALL(new_fspick, SYS_fspick, -100, "/usr", 0)
CALL(new_move_mount, SYS_move_mount, -100, "/usr", -100, "/tmp", 0)
static long new_mount_setattr(void) {
  uint64_t attributes[4] = {0, 1, 0, 0};
  return syscall(SYS_mount_setattr, -100, "/usr", 0, attributes, sizeof attributes);
}

// Other processes
CALL(trace_me, SYS_ptrace, 0, 0, 0, 0)
CALL(trace_init, SYS_ptrace, 16, 1, 0, 0)
static long read_init_memory(void) {
  char byte;
  struct iovec mine = {&byte, 1}, theirs = {(void *)0x400000, 1};
  return syscall(SYS_process_vm_readv, 1, &mine, 1, &theirs, 1, 0);
}
static long write_parent_memory(void) {
  char byte = 0;
  struct iovec mine = {&byte, 1}, theirs = {&byte, 1};
  return syscall(SYS_process_vm_writev, getppid(), &mine, 1, &theirs, 1, 0);
}
static long steal_descriptor(void) {
  long pidfd = syscall(SYS_pidfd_open, getppid(), 0);
  if (pidfd < 0) return -1;
  return syscall(SYS_pidfd_getfd, pidfd, 0, 0);
}
CALL(compare_processes, SYS_kcmp, getpid(), getppid(), 0, 0, 0)
CALL(limits_of_init, SYS_prlimit64, 1, 7, 0, &(struct rlimit){1, 1})
static long kill_init(void) {
  // The kernel takes no signal from inside for pid 1; what counts is that it lives on.
  (void)kill(1, SIGKILL);
  usleep(20000);
  return kill(1, 0) < 0 && errno == ESRCH ? 0 : refused(EPERM);
}
static long kill_far_pids(void) {
  // Whoever has these numbers on the host is not in this pid namespace.
  for (pid_t pid = 300; pid < 70000; pid++)
    if (kill(pid, 0) == 0) return pid;
  return -1;
}

// Keys, programs, rings
CALL(key_add, SYS_add_key, "user", "x", "y", 1, -3)
CALL(key_read_user_ring, SYS_keyctl, 0, -4, 0)
CALL(key_request, SYS_request_key, "user", "x", 0, 0)
static long load_bpf(void) {
  uint64_t attributes[16] = {1, 4, 8, 1};
  return syscall(SYS_bpf, 0, attributes, sizeof attributes);
}
static long perf(void) {
  uint64_t attributes[16] = {1, 112};
  return syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
}
static long ring(void) {
  uint32_t parameters[30] = {0};
  return syscall(SYS_io_uring_setup, 4, parameters);
}
static long old_aio(void) {
  unsigned long context = 0;
  return syscall(SYS_io_setup, 4, &context);
}
CALL(fault_handler, SYS_userfaultfd, 1)
CALL(memory_file, SYS_memfd_create, "x", 0)
CALL(execute_descriptor, SYS_execveat, -100, "/usr/bin/true", 0, 0, 0)
CALL(local_descriptor_table, SYS_modify_ldt, 0, 0, 0)
CALL(no_address_randomisation, SYS_personality, 0x0040000)
CALL(own_filter, SYS_seccomp, 1, 8, &(struct sock_fprog){0, 0})
CALL(own_filter_prctl, SYS_prctl, 22, 2, 0, 0, 0)
CALL(memory_map_prctl, SYS_prctl, 35, 1, 0, 0, 0)
CALL(own_landlock, SYS_landlock_create_ruleset, 0, 0, 1)
CALL(fanotify, SYS_fanotify_init, 0, 0)
CALL(robust_list_of_init, SYS_get_robust_list, 1, &(void *){0}, &(size_t){0})

// Sockets
CALL(socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
CALL(socket_inet_datagram, SYS_socket, AF_INET, SOCK_DGRAM, 0)
CALL(socket_inet6, SYS_socket, AF_INET6, SOCK_STREAM, 0)
CALL(socket_raw, SYS_socket, AF_INET, SOCK_RAW, 1)
CALL(socket_netlink, SYS_socket, AF_NETLINK, SOCK_RAW, 0)
CALL(socket_packet, SYS_socket, AF_PACKET, SOCK_RAW, 0)
CALL(socket_alg, SYS_socket, AF_ALG, SOCK_SEQPACKET, 0)
CALL(socket_vsock, SYS_socket, AF_VSOCK, SOCK_STREAM, 0)
CALL(socket_rxrpc, SYS_socket, AF_RXRPC, SOCK_DGRAM, 0)
CALL(socket_rds, SYS_socket, AF_RDS, SOCK_SEQPACKET, 0)
CALL(socket_tipc, SYS_socket, AF_TIPC, SOCK_STREAM, 0)
CALL(socket_bluetooth, SYS_socket, AF_BLUETOOTH, SOCK_RAW, 0)
CALL(socket_can, SYS_socket, AF_CAN, SOCK_RAW, 1)
CALL(socket_key, SYS_socket, AF_KEY, SOCK_RAW, 2)
CALL(socket_unix_seqpacket, SYS_socket, AF_UNIX, SOCK_SEQPACKET, 0)
/// One end of a fresh pair; its peer stays open until the process ends.
static int pair(void) {
  int ends[2] = {-1, -1};
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  return ends[0];
}
ATTACK(send_out_of_band, send(pair(), "x", 1, MSG_OOB))
ATTACK(send_zero_copy, send(pair(), "x", 1, MSG_ZEROCOPY))
ATTACK(receive_out_of_band, recv(pair(), &(char){0}, 1, MSG_OOB | MSG_DONTWAIT))
static long attach_filter(void) {
  struct sock_filter pass = {BPF_RET | BPF_K, 0, 0, 0xFFFF};
  struct sock_fprog program = {1, &pass};
  return setsockopt(pair(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}
ATTACK(attach_bpf, setsockopt(pair(), SOL_SOCKET, SO_ATTACH_BPF, &(int){0}, sizeof(int)))
static long connect_abstract(void) {
  // The test listens here outside.
  struct sockaddr_un address = {AF_UNIX, "\0bulkhead-attack-test"};
  int end = socket(AF_UNIX, SOCK_STREAM, 0);
  return connect(end, (struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 21));
}

// Terminals and devices
static long push_input(void) {
  int null = open("/dev/null", O_RDWR);
  return ioctl(null, TIOCSTI, "x");
}
ATTACK(push_input_high_bits, syscall(SYS_ioctl, open("/dev/null", O_RDWR), 0x100000000ul | TIOCSTI, "x"))
ATTACK(terminal_linux, ioctl(open("/dev/null", O_RDWR), TIOCLINUX, "x"))
CALL(make_character_device, SYS_mknod, "/tmp/mem", 0020666, 0x101)
CALL(make_block_device, SYS_mknod, "/tmp/disk", 0060666, 0xfe00)
CALL(make_device_at, SYS_mknodat, -100, "/tmp/mem2", 0020666, 0x101)
CALL(port_level, SYS_iopl, 3)
CALL(port_permission, SYS_ioperm, 0, 8, 1)

// Identity
CALL(become_root, SYS_setuid, 0)
CALL(become_root_group, SYS_setgid, 0)
CALL(become_other, SYS_setresuid, 0, 0, 0)
CALL(become_file_root, SYS_setfsuid, 0)
CALL(add_groups, SYS_setgroups, 1, &(gid_t){0})
static long raise_capabilities(void) {
  uint32_t header[2] = {0x20080522, 0}, all[6] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
  return syscall(SYS_capset, header, all);
}
CALL(raise_ambient, SYS_prctl, 47, 2, 21, 0, 0)
CALL(drop_no_new_privileges, SYS_prctl, 38, 0, 0, 0, 0)
CALL(set_secure_bits, SYS_prctl, 28, 0, 0, 0, 0)

// Pages between files
static long with_pipe(long number) {
  int ends[2];
  if (pipe(ends) < 0) return -1;
  int file = open("/usr/bin/true", O_RDONLY);
  long offset = 0;
  return syscall(number, file, &offset, ends[1], 0, 1, 0);
}
ATTACK(splice_file, with_pipe(SYS_splice))
ATTACK(send_file, ({
         int ends[2];
         pipe(ends) < 0 ? -1 : syscall(SYS_sendfile, ends[1], open("/usr/bin/true", O_RDONLY), 0, 1);
       }))
ATTACK(tee_pipe, with_pipe(SYS_tee))
ATTACK(splice_memory, ({
         int ends[2];
         pipe(ends) < 0 ? -1 : syscall(SYS_vmsplice, ends[1], &(struct iovec){"x", 1}, 1, 0);
       }))
ATTACK(notification_pipe, syscall(SYS_pipe2, (int[2]){0}, 0x80))

// Locks, clocks, queues
CALL(futex_lock_pi, SYS_futex, &(int){0}, 6, 0, 0, 0, 0)
CALL(futex_requeue_pi, SYS_futex, &(int){0}, 12, 1, 1, &(int){0}, 0)
CALL(cpu_timer, SYS_timer_create, 2, 0, &(int){0})
CALL(profile_timer, SYS_setitimer, 2, (long[4]){0, 1000, 0, 1000}, 0)
CALL(set_time, SYS_settimeofday, (long[2]){0, 0}, 0)
CALL(set_clock, SYS_clock_settime, 0, (long[2]){0, 0})
CALL(adjust_clock, SYS_adjtimex, (long[40]){0})
CALL(shared_memory, SYS_shmget, 1, 4096, 01666)
CALL(semaphores, SYS_semget, 1, 1, 01666)
CALL(message_queue, SYS_msgget, 1, 01666)
CALL(posix_queue, SYS_mq_open, "x", O_CREAT | O_RDWR, 0666, 0)
CALL(real_time, SYS_sched_setscheduler, 0, 1, &(int){99})
CALL(io_priority, SYS_ioprio_set, 1, 0, 0x2000)
ATTACK(negative_nice, setpriority(PRIO_PROCESS, 0, -20))
static long raise_limit(void) {
  struct rlimit all = {1 << 20, 1 << 20};
  return setrlimit(RLIMIT_NOFILE, &all);
}
CALL(lock_all_memory, SYS_mlockall, 3)
static long lock_much_memory(void) {
  void *memory = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mlock(memory, 16 << 20);
}

// The machine
CALL(restart_machine, SYS_reboot, 0xfee1dead, 672274793, 0, 0)
CALL(load_kernel, SYS_kexec_load, 0, 0, 0, 0)
CALL(load_module, SYS_init_module, "x", 1, "")
CALL(load_module_file, SYS_finit_module, 0, "", 0)
CALL(swap_on, SYS_swapon, "/tmp", 0)
CALL(name_host, SYS_sethostname, "x", 1)
CALL(read_kernel_log, SYS_syslog, 3, (char[64]){0}, 64)
CALL(accounting, SYS_acct, "/tmp/x")
CALL(quota, SYS_quotactl, 0x800002, "/dev/vda", 0, 0)
CALL(open_by_handle, SYS_open_by_handle_at, -100, (int[8]){8, 1}, 0)
CALL(name_to_handle, SYS_name_to_handle_at, -100, "/usr", (int[40]){128}, &(int){0}, 0)
CALL(move_pages_of, SYS_move_pages, 1, 0, 0, 0, 0, 0)

// Ways round the numbers
static long legacy_call(void) {
#if defined(__x86_64__)
  long result;
  // getpid by the i386 gate.
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
  return result;
#else
  return refused(ENOSYS);
#endif
}
CALL(x32_call, 0x40000000 + 39)
CALL(number_minus_one, -1)
CALL(number_unknown, 1000)
CALL(number_next_mseal, 462, 0, 0, 0)

const struct attack kernel_attacks[] = {
#define ENTRY(name) {#name, name}
    ENTRY(unshare_user), ENTRY(unshare_mount), ENTRY(unshare_pid), ENTRY(unshare_net),
    ENTRY(unshare_ipc), ENTRY(unshare_uts), ENTRY(unshare_cgroup), ENTRY(unshare_time),
    ENTRY(clone_user), ENTRY(clone3_user), ENTRY(clone_traced), ENTRY(setns_net),
    ENTRY(mount_tmpfs), ENTRY(mount_bind), ENTRY(mount_remount), ENTRY(mount_proc),
    ENTRY(umount_usr), ENTRY(pivot), ENTRY(change_root), ENTRY(new_open_tree), ENTRY(new_fsopen),
    ENTRY(new_fspick), ENTRY(new_move_mount), ENTRY(new_mount_setattr),
    ENTRY(trace_me), ENTRY(trace_init), ENTRY(read_init_memory), ENTRY(write_parent_memory),
    ENTRY(steal_descriptor), ENTRY(compare_processes), ENTRY(limits_of_init), ENTRY(kill_init),
    ENTRY(kill_far_pids),
    ENTRY(key_add), ENTRY(key_read_user_ring), ENTRY(key_request), ENTRY(load_bpf), ENTRY(perf),
    ENTRY(ring), ENTRY(old_aio), ENTRY(fault_handler), ENTRY(memory_file),
    ENTRY(execute_descriptor), ENTRY(local_descriptor_table), ENTRY(no_address_randomisation),
    ENTRY(own_filter), ENTRY(own_filter_prctl), ENTRY(memory_map_prctl), ENTRY(own_landlock),
    ENTRY(fanotify), ENTRY(robust_list_of_init),
    ENTRY(socket_inet), ENTRY(socket_inet_datagram), ENTRY(socket_inet6), ENTRY(socket_raw),
    ENTRY(socket_netlink), ENTRY(socket_packet), ENTRY(socket_alg), ENTRY(socket_vsock),
    ENTRY(socket_rxrpc), ENTRY(socket_rds), ENTRY(socket_tipc), ENTRY(socket_bluetooth),
    ENTRY(socket_can), ENTRY(socket_key), ENTRY(socket_unix_seqpacket), ENTRY(send_out_of_band),
    ENTRY(send_zero_copy), ENTRY(receive_out_of_band), ENTRY(attach_filter), ENTRY(attach_bpf),
    ENTRY(connect_abstract),
    ENTRY(push_input), ENTRY(push_input_high_bits), ENTRY(terminal_linux),
    ENTRY(make_character_device), ENTRY(make_block_device), ENTRY(make_device_at),
    ENTRY(port_level), ENTRY(port_permission),
    ENTRY(become_root), ENTRY(become_root_group), ENTRY(become_other), ENTRY(become_file_root),
    ENTRY(add_groups), ENTRY(raise_capabilities), ENTRY(raise_ambient),
    ENTRY(drop_no_new_privileges), ENTRY(set_secure_bits),
    ENTRY(splice_file), ENTRY(send_file), ENTRY(tee_pipe), ENTRY(splice_memory),
    ENTRY(notification_pipe),
    ENTRY(futex_lock_pi), ENTRY(futex_requeue_pi), ENTRY(cpu_timer), ENTRY(profile_timer),
    ENTRY(set_time), ENTRY(set_clock), ENTRY(adjust_clock), ENTRY(shared_memory),
    ENTRY(semaphores), ENTRY(message_queue), ENTRY(posix_queue), ENTRY(real_time),
    ENTRY(io_priority), ENTRY(negative_nice), ENTRY(raise_limit), ENTRY(lock_all_memory),
    ENTRY(lock_much_memory),
    ENTRY(restart_machine), ENTRY(load_kernel), ENTRY(load_module), ENTRY(load_module_file),
    ENTRY(swap_on), ENTRY(name_host), ENTRY(read_kernel_log), ENTRY(accounting), ENTRY(quota),
    ENTRY(open_by_handle), ENTRY(name_to_handle), ENTRY(move_pages_of),
    ENTRY(legacy_call), ENTRY(x32_call), ENTRY(number_minus_one), ENTRY(number_unknown),
    ENTRY(number_next_mseal),
    {0},
};
