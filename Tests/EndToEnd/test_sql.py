# SPDX-License-Identifier: Apache-2.0
"""Databases as apps and operators use them: values, long results, what an app makes itself, storage that runs out."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import unittest
from pathlib import Path

from harness import BIN, App, EndToEndTest, eventually, load_tests  # noqa: F401

MAIN = '[[sqlite]]\nname = "main"'
MIB = 1 << 20
HUNDRED_THOUSAND = "100000 4999950000"
"""How many rows, and the sum of their numbers."""


class SQLTest(EndToEndTest):

    def python_sql(self, limits: str = "", run: str = "") -> App:
        return self.install(self.host(), "work", ["python3", "sqlwork.py"], ["sqlwork.py"], more=MAIN,
                            limits='memory = "512MiB"\n' + limits, run=run)

    def says(self, app: App, path: str) -> str:
        return app.get("/" + path).body.decode()

    def kill_worker(self, app: App) -> None:
        found = [one for one in app.host.processes() if one.name == "SQLWorker"]
        self.assertEqual(len(found), 1)
        os.kill(found[0].pid, signal.SIGKILL)
        eventually(lambda: not found[0].lives, "the worker is gone")


class ThreeLanguages(SQLTest):

    def swift(self) -> App:
        package = self.package("work", ["/app/guest"], runtime="native", more=MAIN, limits='memory = "512MiB"')
        (package / "guest").write_bytes((Path(BIN).parent / "SwiftGuest").read_bytes())
        (package / "guest").chmod(0o755)
        return self.host().install(package)

    def node(self) -> App:
        return self.install(self.host(), "work", ["node", "sqlwork.mjs"], ["sqlwork.mjs"], runtime="node", more=MAIN,
                            limits='memory = "512MiB"')

    def check(self, app: App) -> None:
        """Values on the app's own socket and, once its worker was killed, through the host; then a long result."""
        self.assertEqual(self.says(app, "values"), "ok")
        self.assertEqual(self.says(app, "many"), "100000")
        self.assertEqual(self.says(app, "stream"), HUNDRED_THOUSAND)
        self.kill_worker(app)
        before = app.host.rss()
        # The first may find out that the socket has ended.
        eventually(lambda: self.says(app, "values") == "ok", "values through the host")
        for _ in range(3):
            self.assertEqual(self.says(app, "stream"), HUNDRED_THOUSAND)
        self.assertLess(app.host.peak() - before, 24 * MIB)

    def test_python(self):
        """int64, doubles and infinities, text with NUL, blobs and NULL come back; 100,000 rows stream, relayed too."""
        self.check(self.python_sql())

    def test_node(self):
        """The same in Node: BigInt where a number would lose."""
        self.check(self.node())

    def test_swift(self):
        """The same in Swift, and its transactions and databases."""
        app = self.swift()
        self.assertEqual(self.says(app, "transaction"), "ok")
        self.assertEqual(self.says(app, "databases"), "ok")
        self.check(app)
        self.assertEqual(self.says(app, "transaction"), "ok")

    def test_a_relayed_result_that_is_left_stops(self):
        """Twenty long results left after their first row, through the host: none holds a place."""
        app = self.python_sql()
        self.says(app, "many")
        self.kill_worker(app)
        eventually(lambda: self.says(app, "left") == "100000", "results that were left")

    def test_an_error_has_its_code_and_offset(self):
        """The place in the statement, in bytes."""
        self.assertEqual(self.says(self.python_sql(), "broken"), "sql.error 10")


class Operator(SQLTest):

    def test_a_hundred_thousand_rows_as_table_json_and_csv(self):
        """Whole in each form, while the host's memory stays where it was."""
        app = self.python_sql()
        self.assertEqual(self.says(app, "many"), "100000")
        statement = ("sql", "work", "main", "SELECT * FROM m ORDER BY n")
        self.assertIn("row number 99999", app.host.command(*statement, "--csv").out)
        before = app.host.rss()
        rows = json.loads(app.host.command(*statement, "--json").out)
        self.assertEqual(len(rows), 100_000)
        self.assertEqual(rows[7], {"n": 7, "text": "row number 7", "half": 3.5, "raw": {"base64": "AP8="}})
        self.assertEqual(sum(row["n"] for row in rows), 4_999_950_000)
        lines = list(csv.reader(io.StringIO(app.host.command(*statement, "--csv").out)))
        self.assertEqual((len(lines), lines[0]), (100_001, ["n", "text", "half", "raw"]))
        table = app.host.command(*statement).out.splitlines()
        self.assertEqual(len(table), 100_001)
        self.assertEqual(table[100].split(), ["99", "row", "number", "99", "49.5", "base64:AP8="])
        self.assertLess(app.host.peak() - before, 16 * MIB)

    def test_an_error_in_the_midst_of_rows_is_an_error_of_the_command(self):
        """Rows that came are printed; the exit code and the message tell that they are not all."""
        app = self.python_sql()
        self.says(app, "many")
        done = app.host.command(
            "sql", "work", "main", "SELECT n, abs(CASE n WHEN 90000 THEN -9223372036854775808 ELSE n END) FROM m",
            "--csv", status=65)
        self.assertIn("integer overflow", done.err)
        self.assertGreater(done.out.count("\n"), 1_000)

    def test_databases_that_the_app_made_are_listed_and_backed_up(self):
        """Made, copied, seen by the operator, deleted; no more than 64 in all."""
        app = self.python_sql()
        self.says(app, "many")
        self.assertEqual(self.says(app, "databases"), "copy made main")
        self.assertEqual([one["name"] for one in app.host.json("sql", "work")], ["copy", "made", "main"])
        self.assertEqual(app.host.json("sql", "work", "copy", "SELECT count(*) AS n FROM m"), [{"n": 100_000}])
        target = self.directory() / "backup.sqlite"
        app.host.command("sql", "work", "copy", "--backup", str(target))
        self.assertGreater(target.stat().st_size, 3 * MIB)
        self.assertEqual(self.says(app, "fewer"), "main")
        self.assertEqual(self.says(app, "full"), "quota.databases")
        self.assertEqual(len(app.host.json("sql", "work")), 64)


class FullStorage(SQLTest):

    def test_a_limit_that_is_lowered_holds_at_once_for_databases_secrets_and_keys(self):
        """Beyond it writes are quota.storage; reads and deletes go on, and raised again so do writes."""
        app = self.python_sql(limits='storage = "16MiB"')
        self.assertEqual([self.says(app, "write"), self.says(app, "write"), self.says(app, "keep")], ["ok"] * 3)
        app.host.command("limit", "work", "--storage", "2MiB")
        self.assertEqual(self.says(app, "write"), "quota.storage")
        eventually(lambda: self.says(app, "keep") == "quota.storage", "secrets are refused too")
        self.assertEqual((self.says(app, "read"), self.says(app, "kept")), ("2", "value"))
        # The operator's own word is not the app's storage.
        app.host.command("secret", "set", "work", "from-operator", stdin="x")
        self.assertEqual(self.says(app, "drop"), "2")
        self.assertEqual(self.says(app, "write"), "ok")
        app.host.command("limit", "work", "--reset")
        self.assertEqual([self.says(app, "write"), self.says(app, "keep")], ["ok"] * 2)

    def test_the_data_directory_counts(self):
        """What lies in it is not there for databases; it is counted at the host's start and every minute."""
        app = self.python_sql(limits='storage = "4MiB"', run="data_dir = true")
        self.assertEqual(self.says(app, "write"), "ok")
        self.assertEqual(self.says(app, "data"), "ok")
        host = app.host
        self.assertEqual(host.stop(), 0)
        host.start()
        eventually(lambda: self.says(app, "write") == "quota.storage", "the data directory was counted")
        self.assertGreaterEqual(int(self.says(app, "read")), 1)


class SecretsTest(SQLTest):
    SECRET = "correct-horse-battery-staple"

    def test_a_secret_is_nowhere_in_plain_but_where_it_was_asked_for(self):
        """Set by the operator and read by the app: not in the host's log, the app's, events, errors or any file of the
        data directory. --reveal is needed to see it, and leaves a line."""
        app = self.python_sql()
        host = app.host
        host.command("secret", "set", "work", "kept", stdin=self.SECRET + "\n")
        self.assertEqual(self.says(app, "kept"), self.SECRET)
        refused = host.command("secret", "get", "work", "kept", status=77)
        self.assertNotIn(self.SECRET, refused.out + refused.err)
        self.assertNotIn("revealed", host.log)
        self.assertEqual(host.command("secret", "get", "work", "kept", "--reveal").out.strip(), self.SECRET)
        app.await_event("audit", 2)
        self.assertIn("secret kept was revealed to the operator", host.log)
        missing = host.command("secret", "get", "work", "none", "--reveal", status=None)
        self.assertNotEqual(missing.code, 0)
        told = host.log + json.dumps(app.log()) + host.command("secret", "list", "work", "--json").out
        told += host.command("inspect", "work", "--json").out + host.command("events", "--json").out + missing.err
        self.assertNotIn(self.SECRET, told)
        self.assertEqual(host.stop(), 0)
        for path in host.data.rglob("*"):
            if path.is_file() and not path.is_symlink():
                self.assertNotIn(self.SECRET.encode(), path.read_bytes(), path)

    def test_the_host_and_the_worker_leave_no_core_dump(self):
        """Their limits say so: of a core file there may be at most a byte."""
        app = self.python_sql()
        self.says(app, "keep")
        self.says(app, "many")
        pids = [app.host.pid] + [one.pid for one in app.host.processes()]
        self.assertGreaterEqual(len(pids), 3)
        for pid in pids:
            for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
                if line.startswith("Max core file size"):
                    self.assertLessEqual(int(line.split()[5]), 1, line)


if __name__ == "__main__":
    unittest.main()
