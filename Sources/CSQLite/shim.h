// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
// glibc's settings of the allocator that SQLite uses; Swift's Glibc module leaves the header out.
#include <malloc.h>
