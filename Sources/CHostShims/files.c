// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CHostShims.h"
#include <unistd.h>

int bh_syncfs(int fd) { return syncfs(fd); }
