// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CHostShims.h"
#include <pthread.h>
#include <unistd.h>

int bh_syncfs(int fd) { return syncfs(fd); }

int bh_name_thread(const char *name) { return pthread_setname_np(pthread_self(), name); }

int bh_pipe2(int ends[2], int flags) { return pipe2(ends, flags); }
