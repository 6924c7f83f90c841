// SPDX-License-Identifier: Apache-2.0
#include "CHostShims.h"

// Declared here rather than included: the header of SQLite is not needed by anyone else who links this.
// Weak, so that a target which links these shims without SQLite needs no SQLite.
__attribute__((weak)) extern int sqlite3_db_config(struct sqlite3 *, int op, ...);

int bh_sqlite_config(struct sqlite3 *db, int option, int value) {
  return sqlite3_db_config(db, option, value, (int *)0);
}
