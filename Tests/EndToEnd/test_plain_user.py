# SPDX-License-Identifier: Apache-2.0
"""The whole suite once more, as a user who owns nothing on this machine."""

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from harness import BIN, HERE, ROOT, EndToEndTest, is_root, load_tests, skip, _Tally  # noqa: F401

NOBODY = "65534"


class PlainUser(EndToEndTest):

    def test_the_whole_suite_passes_for_an_unprivileged_user(self):
        """Same tests, same host, no root; what the kernel then withholds is skipped by name and counted."""
        if not is_root():
            skip("root")
        place = self.copy()
        python = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin")
        self.assertIsNotNone(python, "a python3 that every user may run")
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(place / "home"),
            "TMPDIR": str(place / "home"), "BULKHEAD_BIN": str(place / "bin/bulkhead"),
            "BULKHEAD_SDK": str(place / "sdk"), "PYTHONDONTWRITEBYTECODE": "1",
            **({"E2E_TIMES": "1"} if os.environ.get("E2E_TIMES") else {}),
        }
        done = subprocess.run(
            ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--bounding-set=-all",
             "--no-new-privs", python, "-m", "unittest", "discover", "-s", str(place / "Tests/EndToEnd"), "-v",
             *self.patterns()],
            env=environment, cwd=str(place), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        lines = done.stdout.rstrip().splitlines()
        _Tally.nested = [line for line in lines if re.search(r"\.\.\. skipped", line)]
        _Tally.nested.append(f"as a plain user: {lines[-1]}")
        self.assertEqual(done.returncode, 0, "\n" + "\n".join(lines[-150:]))
        self.assertRegex(lines[-1], r"^[1-9]\d* passed, 0 failed, \d+ skipped$")

    def patterns(self):
        """The -k of this run goes for that one too."""
        found = []
        for index, argument in enumerate(sys.argv):
            if argument == "-k":
                found += ["-k", sys.argv[index + 1]]
        return found

    def copy(self):
        """Programs, SDKs, samples and tests where that user may read them: the repository may lie in a closed home."""
        place = self.directory()
        (place / "bin").mkdir()
        for name in ("bulkhead", "SandboxLaunch", "SQLWorker", "hello-swift", "SwiftGuest"):
            shutil.copy(Path(BIN).parent / name, place / "bin" / name)
        sdk = os.environ.get("BULKHEAD_SDK") or str(ROOT / "sdk")
        ignored = shutil.ignore_patterns("__pycache__", ".build")
        for source, name in ((sdk, "sdk"), (ROOT / "samples", "samples"), (ROOT / "docs", "docs"),
                             (ROOT / "scripts", "scripts"),
                             (ROOT / "ops", "ops"), (HERE, "Tests/EndToEnd")):
            shutil.copytree(source, place / name, ignore=ignored)
        subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
        home = place / "home"
        home.mkdir(mode=0o700)
        os.chown(home, int(NOBODY), int(NOBODY))
        return place


if __name__ == "__main__":
    unittest.main()
