// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <sys/uio.h>

#include "CHostShims.h"

int bh_is_cached(int fd) {
  char byte;
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  return preadv2(fd, &vector, 1, 0, RWF_NOWAIT) >= 0;
}
