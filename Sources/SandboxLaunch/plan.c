// SPDX-License-Identifier: Apache-2.0
// Reading a plan. The host wrote it, but the launcher checks it all the same: a bug there must end
// in a refused launch, not in a cell built from half a plan.
#include "launch.h"

#include <linux/filter.h>
#include <sys/resource.h>

static size_t padded(uint32_t length) { return ((size_t)length + 7u) & ~(size_t)7u; }

int next_record(struct cursor *cursor, struct record *record) {
  const struct plan *plan = cursor->plan;
  if (cursor->offset == plan->size) return 0;
  struct bh_record head;
  memcpy(&head, plan->bytes + cursor->offset, sizeof head);
  *record = (struct record){head.type, head.length, cursor->index++,
                            plan->bytes + cursor->offset + sizeof head};
  cursor->offset += sizeof head + padded(head.length);
  return 1;
}

const char *text(const struct record *record, size_t offset) {
  return (const char *)record->data + offset;
}

const char *second_text(const struct record *record, size_t offset) {
  const char *first = text(record, offset);
  return first + strlen(first) + 1;
}

/// How many NUL-terminated strings fill the record from `offset` exactly.
static int strings_in(const struct record *record, size_t offset) {
  if (record->length <= offset || record->data[record->length - 1] != 0) return 0;
  int count = 0;
  for (size_t at = offset; at < record->length; at++) count += record->data[at] == 0;
  return count;
}

static int record_is_valid(const struct record *record) {
  switch (record->type) {
  case BH_REC_IDENTITY: return record->length == sizeof(struct bh_identity);
  case BH_REC_RLIMIT: return record->length == sizeof(struct bh_rlimit);
  case BH_REC_LANDLOCK: return record->length == sizeof(struct bh_landlock);
  case BH_REC_OPTIONS: return record->length == sizeof(struct bh_options);
  case BH_REC_NO_USER_NAMESPACES: return record->length == 0;
  case BH_REC_HOSTNAME:
  case BH_REC_CGROUP_INTO:
  case BH_REC_CGROUP_PROCS:
  case BH_REC_CGROUP_REMOVE:
  case BH_REC_CGROUP_PARENT:
  case BH_REC_PROC:
  case BH_REC_ARGUMENT:
  case BH_REC_ENVIRONMENT:
  case BH_REC_DIRECTORY_CHANGE:
  case BH_REC_SEARCH: return strings_in(record, 0) == 1;
  case BH_REC_SYMLINK:
  case BH_REC_FILE: return strings_in(record, 0) == 2;
  case BH_REC_TMPFS: return strings_in(record, sizeof(struct bh_tmpfs)) == 1;
  case BH_REC_DIRECTORY: return strings_in(record, sizeof(struct bh_mode)) == 1;
  case BH_REC_BIND: return strings_in(record, sizeof(struct bh_bind)) == 2;
  case BH_REC_LANDLOCK_PATH: return strings_in(record, sizeof(uint64_t)) == 1;
  case BH_REC_DESCRIPTORS:
    return record->length % 4 == 0 && record->length / 4 <= BH_DESCRIPTORS_MAX;
  case BH_REC_FILTER:
    return record->length > 0 && record->length % sizeof(struct sock_filter) == 0 &&
           record->length / sizeof(struct sock_filter) <= BPF_MAXINSNS;
  default: return 0;
  }
}

int plan_is_valid(const struct plan *plan) {
  struct cursor cursor = {plan, 0, 0};
  struct record record;
  uint32_t binds = 0, paths = 0, strings = 0, rules = 0;
  while (cursor.offset < plan->size) {
    struct bh_record head;
    if (plan->size - cursor.offset < sizeof head) return 0;
    memcpy(&head, plan->bytes + cursor.offset, sizeof head);
    if (head.length > plan->size || padded(head.length) > plan->size - cursor.offset - sizeof head)
      return 0;
    if (!next_record(&cursor, &record) || !record_is_valid(&record)) return 0;
    binds += record.type == BH_REC_BIND;
    rules += record.type == BH_REC_LANDLOCK_PATH;
    paths += record.type == BH_REC_CGROUP_PROCS || record.type == BH_REC_CGROUP_REMOVE ||
             record.type == BH_REC_CGROUP_PARENT;
    strings += record.type == BH_REC_ARGUMENT || record.type == BH_REC_ENVIRONMENT;
  }
  return plan->size > 0 && binds <= BH_BINDS_MAX && paths <= BH_PATHS_MAX &&
         strings < BH_STRINGS_MAX && rules <= BH_RULES_MAX;
}
