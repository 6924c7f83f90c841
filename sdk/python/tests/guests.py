# SPDX-License-Identifier: Apache-2.0
"""What the tests have in common: a guest made of a few lines, and a look at the contract after."""

from __future__ import annotations

import textwrap
import unittest

from fake_host import FakeHost


class GuestTest(unittest.TestCase):
    """Starts guests; after each test none may have broken the contract or printed an error."""

    def guest(self, code: str, **options) -> FakeHost:
        host = FakeHost(textwrap.dedent(code), **options)
        self.addCleanup(self._look, host)
        return host

    def _look(self, host: FakeHost) -> None:
        host.close()
        self.assertEqual(host.faults, [])

    def run_code(self, code: str, **options) -> str:
        """Runs code within a request and gives what it printed to the response."""
        host = self.guest(RUN.replace("CODE", textwrap.indent(textwrap.dedent(code), "    ")),
                          **options)
        return host.http().body().decode()


RUN = '''
import bulkhead
def work(print):
CODE

def app(environ, start):
    import traceback
    out = []
    def show(*values):
        out.append(" ".join(map(repr, values)) + "\\n")
    try:
        work(show)
    except Exception:
        out.append(traceback.format_exc())
    start("200 OK", [])
    return [line.encode() for line in out]

bulkhead.serve(app)
'''
