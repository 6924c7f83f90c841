// SPDX-License-Identifier: Apache-2.0
// What Swift cannot call by itself: variadic C functions and system calls without a glibc wrapper.
#pragma once
// Not in Swift's Glibc module.
#include <sys/epoll.h>
#include "bh_launch.h"
#include "bh_linux.h"

struct sqlite3;

/// sqlite3_db_config(db, option, value, NULL) for the options that take an int. Returns SQLite's code.
int bh_sqlite_config(struct sqlite3 *db, int option, int value);

/// syncfs(2): writes out the file system that `fd` lies on. 0, or -1 with errno.
int bh_syncfs(int fd);

/// Names the calling thread for ps and /proc: at most 15 bytes, longer names are refused by the kernel's library.
/// pthread_setname_np(3). 0, or an error's number.
int bh_name_thread(const char *name);

/// pipe2(2). 0, or -1 with errno.
int bh_pipe2(int ends[2], int flags);

/// Whether the beginning of a file can be read without waiting for a disk (preadv2 with RWF_NOWAIT).
int bh_is_cached(int fd);
