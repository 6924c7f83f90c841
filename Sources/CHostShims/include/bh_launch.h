// SPDX-License-Identifier: Apache-2.0
// What the host and the launcher say to each other. Both are built from this file, so they agree.
//
// The host holds three SOCK_SEQPACKET sockets per cell:
//   control  host → monitor: one CELL plan, then BH_ORDER_*;  monitor → host: bh_report
//   cell     pid 1 → host: bh_report; closed when pid 1 is gone
//   guest    host → guest: one START plan with descriptors;   guest → host: bh_report; closed by
//            execve, which is how the host knows that the command runs
// A plan is a sequence of records, each `u32 type, u32 length, payload padded to 8 bytes`, in the
// order in which the launcher acts on them. Numbers are little-endian; strings end in NUL.
#pragma once
#include <stdint.h>

#define BH_PLAN_BYTES_MAX 163840u
#define BH_BINDS_MAX 96
#define BH_PATHS_MAX 32
#define BH_DESCRIPTORS_MAX 32
#define BH_STRINGS_MAX 2048
#define BH_RULES_MAX 64
#define BH_CONTROL_FD 3
#define BH_CELL_FD 4
#define BH_GUEST_FD 5
/// argv[0] of the launcher, by which a sweep recognises one.
#define BH_LAUNCHER_NAME "bulkhead-launch"

struct bh_record {
  uint32_t type;
  uint32_t length;
};

enum bh_record_type {
  // CELL plan
  BH_REC_IDENTITY = 1,     // bh_identity
  BH_REC_HOSTNAME,         // string
  BH_REC_CGROUP_INTO,      // path of the cgroup v2 leaf: CLONE_INTO_CGROUP
  BH_REC_CGROUP_PROCS,     // path of a cgroup.procs file: the pid is written there
  BH_REC_CGROUP_REMOVE,    // path of a cgroup directory to remove should the host be gone
  BH_REC_CGROUP_PARENT,    // path of one above it: likewise, if it is empty by then
  BH_REC_TMPFS,            // bh_tmpfs, path
  BH_REC_DIRECTORY,        // bh_mode, path
  BH_REC_SYMLINK,          // target, path
  BH_REC_FILE,             // path, contents
  BH_REC_BIND,             // bh_bind, source, path
  BH_REC_PROC,             // options for the proc mount
  BH_REC_NO_USER_NAMESPACES,  // write 0 to user.max_user_namespaces
  BH_REC_RLIMIT,           // bh_rlimit
  BH_REC_LANDLOCK,         // bh_landlock
  BH_REC_LANDLOCK_PATH,    // u64 rights, path
  BH_REC_FILTER,           // struct sock_filter[]
  BH_REC_OPTIONS,          // bh_options
  // START plan
  BH_REC_ARGUMENT = 64,    // string
  BH_REC_ENVIRONMENT,      // string
  BH_REC_DIRECTORY_CHANGE, // string
  BH_REC_SEARCH,           // string: one directory of PATH, in which argv[0] is looked for
  BH_REC_DESCRIPTORS,      // u32 numbers inside, in the order of SCM_RIGHTS
};

struct bh_identity {
  uint32_t inside_uid, outside_uid, inside_gid, outside_gid;
  uint32_t privileged;     // 1: the monitor opens bind sources and maps their owners
  uint32_t pad;
};
struct bh_tmpfs {
  uint64_t bytes, inodes;
  uint32_t mode, executable;
};
struct bh_mode {
  uint32_t mode, pad;
};
struct bh_bind {
  uint64_t attributes;     // MOUNT_ATTR_*
  uint32_t kind;           // bh_bind_kind
  uint32_t map_owner;      // 1: show the source's owner as the app (idmapped mount)
};
enum bh_bind_kind { BH_BIND_DIRECTORY = 0, BH_BIND_FILE = 1, BH_BIND_DEVICE = 2 };
struct bh_rlimit {
  uint32_t resource, pad;
  uint64_t soft, hard;
};
struct bh_landlock {
  uint64_t handled_fs, handled_net, scoped;
};
struct bh_options {
  uint32_t notify;         // 1: hand the filter's listener to the host (development)
  uint32_t skip_filter;    // 1: layer-removal test or an explicit operator choice
  uint32_t skip_landlock;
  uint32_t pad;
};

/// Every step that can fail. The host turns the number into a name and an advice.
enum bh_step {
  BH_STEP_NONE = 0,
  BH_STEP_READ_PLAN,
  BH_STEP_OPEN_CGROUP,
  BH_STEP_CLONE,
  BH_STEP_ID_MAP,
  BH_STEP_JOIN_CGROUP,
  BH_STEP_MAP_OWNER,
  BH_STEP_BIND_SOURCE,
  BH_STEP_BIND_ATTRIBUTES,
  BH_STEP_PARENT_DEATH,
  BH_STEP_CREDENTIALS,
  BH_STEP_CGROUP_NAMESPACE,
  BH_STEP_SESSION_KEYRING,
  BH_STEP_HOSTNAME,
  BH_STEP_PRIVATE_MOUNTS,
  BH_STEP_ROOT,
  BH_STEP_TMPFS,
  BH_STEP_DIRECTORY,
  BH_STEP_SYMLINK,
  BH_STEP_FILE,
  BH_STEP_BIND_TARGET,
  BH_STEP_BIND,
  BH_STEP_PROC,
  BH_STEP_USER_NAMESPACES,
  BH_STEP_PIVOT_ROOT,
  BH_STEP_READ_ONLY_ROOT,
  BH_STEP_FORK,
  BH_STEP_LOCK_INIT,
  BH_STEP_RLIMIT,
  BH_STEP_DESCRIPTORS,
  BH_STEP_CAPABILITIES,
  BH_STEP_NO_NEW_PRIVILEGES,
  BH_STEP_LANDLOCK,
  BH_STEP_WORKING_DIRECTORY,
  BH_STEP_FILTER,
  BH_STEP_EXEC,
  BH_STEP_LOST,            // set by the host: the launcher went away without a word
};

enum bh_report_kind {
  BH_REPORT_FAILED = 1,    // step, error, index
  BH_REPORT_INIT,          // from pid 1, whose pid travels as credentials: the root is built
  BH_REPORT_READY,         // from the guest, likewise: it is confined and waits for its START plan;
                           // in development with the filter's listener
  BH_REPORT_EXIT,          // status and usage
};

struct bh_report {
  uint32_t kind, step;
  int32_t error;
  uint32_t index;          // ordinal of the record that failed
  int32_t status;          // as wait4 gives it
  uint32_t has_status;     // 1: `status` is the guest's own; 0: pid 1 was killed
  uint64_t user_microseconds, system_microseconds, peak_bytes;
};

/// Kills pid 1 and with it the cell.
#define BH_ORDER_KILL 75
/// Lets pid 1 kill and reap everything, so that their CPU time is known; kills it if that takes
/// longer than a second.
#define BH_ORDER_END 69
/// The host has cleared up after the cell; there is nothing left to do.
#define BH_ORDER_DONE 68
