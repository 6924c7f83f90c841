# SPDX-License-Identifier: Apache-2.0
"""Uses known amounts, one request each, and says how much it was by its own counters.

    POST /api/cpu?seconds=S                    processor time, in one thread
    POST /api/children?count=N&live=MS&burn=MS processes that live and burn so long each
    POST /api/memory?bytes=N                   holds so much more; bytes=0 lets go of all
    POST /api/disk?bytes=N                     one more file in /data
    POST /api/rows?bytes=N                     a blob in the database
    POST /api/query?rows=N                     a statement that counts so far: the database's processor time
    POST /api/upload                           reads the body
    GET  /api/download?bytes=N                 sends so much
    GET  /api/usage, /api/cost                 what the host says
"""

import bulkhead
from burner import app

bulkhead.serve(app)
