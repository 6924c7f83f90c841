// SPDX-License-Identifier: Apache-2.0
// The launcher in one picture:
//
//   monitor (main.c)   outside every namespace; reads the CELL plan, clones pid 1, waits, dies with
//     │                the host and takes the cell with it
//     └ pid 1 (cell.c) builds the cell's root, forks the guest, stays as its reaper
//         └ guest (guest.c) gives up what is left, loads Landlock and the filter, and only then
//                      reads the START plan and becomes the app
//
// After clone nothing allocates; every failure is one bh_report with the step and errno.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "../CHostShims/include/bh_launch.h"

/// One record of a plan; `data` stays inside the plan's buffer.
struct record {
  uint32_t type, length, index;
  const unsigned char *data;
};
struct plan {
  unsigned char bytes[BH_PLAN_BYTES_MAX];
  size_t size;
};
/// Walks a plan. Returns 0 at its end; a malformed plan never gets here (plan_is_valid).
struct cursor {
  const struct plan *plan;
  size_t offset;
  uint32_t index;
};
int next_record(struct cursor *cursor, struct record *record);
/// True when every record lies within the plan and has the size and strings of its type.
int plan_is_valid(const struct plan *plan);
/// The string starting `offset` bytes into a record.
const char *text(const struct record *record, size_t offset);
/// The string after the one at `offset`.
const char *second_text(const struct record *record, size_t offset);

/// Where failures of this process are reported.
extern int report_socket;
/// The record being carried out, for the report.
extern uint32_t current_index;
_Noreturn void fail(enum bh_step step);
void send_report(struct bh_report report);

/// Opens one bind source as a detached tree that already has its attributes.
int open_bind(const struct record *record, int map_owner_userns);

/// pid 1. `trees` holds the detached mounts the monitor opened, in plan order, or -1.
_Noreturn void run_cell(const struct plan *plan, int go, int trees[BH_BINDS_MAX]);
/// The guest. Returns never: it becomes the app or fails.
_Noreturn void run_guest(const struct plan *plan);
/// Gives up every capability, for good, and all ways to more.
void drop_privileges(enum bh_step step);
