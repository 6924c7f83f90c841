# SPDX-License-Identifier: Apache-2.0
"""Small on purpose: Python compiles the file it is told to run anew at each start."""

import bulkhead
from journal.web import app

bulkhead.serve(app)
