# SPDX-License-Identifier: Apache-2.0
"""The narrow path: an operator installs an app, a browser asks, a sealed process answers, the operator sees the cost."""

import json
import os
import shutil
import unittest
from pathlib import Path
from urllib.parse import urlencode

from harness import BIN, ROOT, App, EndToEndTest, eventually, load_tests  # noqa: F401

SAMPLES = ROOT / "samples"


class Story(EndToEndTest):

    def test_an_installed_app_serves_its_page_answers_from_its_database_and_shows_its_cost(self):
        """install → page → guest → own database → ps, with figures that the kernel's own counters confirm."""
        host = self.host()
        installed = host.json("install", str(SAMPLES / "journal"), "--yes")
        self.assertEqual(installed["id"], "org.example.journal")
        self.assertEqual(installed["url"], f"http://journal.localhost:{host.port}/")
        app = App(host, "org.example.journal")

        page = app.get("/")
        self.assertEqual(page.status, 200)
        self.assertIn(b"<title>", page.body)
        self.assertEqual(app.status["state"], "stopped", "the page did not wake the app")

        created = app.ask("POST", "/api/entries", json.dumps({"title": "One", "text": "fathom"}),
                          {"Content-Type": "application/json"})
        self.assertEqual(created.status, 201)
        found = app.get("/api/entries?q=fathom").json["entries"]
        self.assertEqual([entry["title"] for entry in found], ["One"])
        self.assertEqual(host.json("sql", "journal", "main", "SELECT count(*) AS n FROM entry"), [{"n": 1}])
        self.assertTrue((app.directory / "sql/main.sqlite").is_file())

        status = app.status
        self.assertEqual((status["state"], status["restarts"]), ("running", 0))
        self.assertGreater(status["uptimeSeconds"], 0)
        self.assertGreater(status["cpuSeconds"], 0)
        self.assertGreater(status["memoryBytes"], 1 << 20)
        self.assertLessEqual(status["memoryBytes"], status["memoryLimitBytes"])
        self.assertIn(status["pid"], [process.pid for process in host.processes()])

    def test_cpu_seconds_in_ps_are_those_the_kernel_counted(self):
        """A guest that burns 0.5 s of CPU is shown with what /proc or its cgroup says, between two readings of it."""
        host = self.host()
        app = self.python(host)
        burnt = app.get("/burn?seconds=0.5").json["cpu"]
        self.assertGreaterEqual(burnt, 0.5)
        pid = app.status["pid"]
        before = self.ticks(pid)
        shown = app.status["cpuSeconds"]
        after = self.ticks(pid)
        # Another process of the app (its pid 1) adds at most a few ticks; clocks of ticks round down.
        self.assertGreaterEqual(shown, before - 0.05)
        self.assertLessEqual(shown, after + 0.15)

    def ticks(self, pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_memory_in_ps_follows_what_the_guest_takes(self):
        """An app that holds 64 MiB more is shown with at least 60 MiB more."""
        host = self.host()
        app = self.python(host)
        app.get("/hello")
        before = app.status["memoryBytes"]
        app.get("/take")
        self.assertGreater(app.status["memoryBytes"] - before, 60 << 20)

    def test_apps_data_and_the_operators_word_survive_a_restart_of_the_host(self):
        """After a clean stop the same apps are there, the stopped one stays stopped, rows and limits are kept."""
        self.survives(lambda host: self.assertEqual(host.stop(), 0))

    def test_apps_data_and_the_operators_word_survive_kill_9_of_the_host(self):
        """What was acknowledged before SIGKILL is there afterwards."""
        self.survives(lambda host: host.kill())

    def survives(self, end):
        host = self.host()
        kept = self.python(host, "kept", more='[[sqlite]]\nname = "main"')
        off = self.python(host, "off")
        self.assertEqual(kept.ask("POST", "/notes", b"before").json, {"id": 1})
        host.command("limit", "kept", "--memory", "100MiB")
        off.get("/hello")
        host.command("stop", "off")
        end(host)
        host.start()
        apps = host.ps()
        self.assertEqual(sorted(apps), ["org.e2e.kept", "org.e2e.off"])
        self.assertEqual(apps["org.e2e.off"]["state"], "disabled")
        self.assertEqual(apps["org.e2e.kept"]["state"], "stopped")
        self.assertEqual(apps["org.e2e.kept"]["memoryLimitBytes"], 100 << 20)
        self.assertEqual(off.get("/hello").status, 503)
        self.assertEqual(kept.get("/notes").json, ["before"])
        self.assertEqual(kept.ask("POST", "/notes", b"after").json, {"id": 2})
        host.command("start", "off")
        self.assertEqual(off.get("/hello").status, 200)

    def test_an_upgrade_takes_the_new_code_and_keeps_the_data(self):
        """A higher build replaces a running app; an older one is refused; the data stays."""
        host = self.host()
        app = self.python(host, "grows", more='[[sqlite]]\nname = "main"')
        app.ask("POST", "/notes", b"old")
        first = app.get("/pid").json["pid"]
        package = self.package("grows", ["python3", "web.py"], ["web.py"], build=2, version="2.0.0",
                               more='[[sqlite]]\nname = "main"')
        report = json.loads(host.command("install", str(package), "--yes", "--json").out)
        self.assertEqual((report["build"], report["replacedBuild"]), (2, 1))
        self.assertEqual(app.get("/notes").json, ["old"])
        self.assertNotEqual(app.get("/pid").json, first)
        old = self.package("grows", ["python3", "web.py"], ["web.py"], build=1)
        refused = host.command("install", str(old), "--yes", status=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("older", refused.err)
        self.assertEqual(app.status["build"], 2)

    def test_uninstall_leaves_nothing_of_an_app_unless_told_to_keep_its_data(self):
        """The directory goes, the address answers 404; with --keep-data the database stays and is taken up again."""
        host = self.host()
        app = self.python(host, "guest", more='[[sqlite]]\nname = "main"')
        app.ask("POST", "/notes", b"kept")
        host.command("uninstall", "guest", "--keep-data", "--yes")
        self.assertTrue((app.directory / "sql/main.sqlite").is_file())
        self.assertEqual(app.get("/notes").status, 404)
        again = self.python(host, "guest", more='[[sqlite]]\nname = "main"')
        self.assertEqual(again.get("/notes").json, ["kept"])
        pids = host.processes()
        host.command("uninstall", "guest", "--yes")
        self.assertFalse(app.directory.exists())
        self.assertEqual(host.ps(), {})
        guests = [process for process in pids if process.name != "bulkhead"]
        eventually(lambda: not any(process.lives for process in guests), "its processes are gone")


class Sealed(EndToEndTest):

    def test_an_app_sees_itself_and_its_socket_and_nothing_of_the_host(self):
        """No network but an empty loopback, no file of the host's, nothing to write but its scratch, no secret of the
        host's environment, no capability."""
        host = self.host()
        app = self.python(host, more='[[sqlite]]\nname = "main"')
        paths = ["/home", "/root", "/boot", "/etc/shadow", "/etc/machine-id", "/var/log", "/run/dbus", "/sys/class",
                 "/proc/1/root", "/proc/net", "/proc/sys", str(host.data), str(ROOT)]
        query = urlencode([("port", host.port), *(("path", path) for path in paths)])
        seen = app.get(f"/sealed?{query}").json
        self.assertIn(seen["interfaces"], (["lo"], "EAFNOSUPPORT"))
        self.assertNotEqual(seen["host"], "connected")
        self.assertNotEqual(seen["outside"], "connected")
        self.assertEqual(seen["files"], [])
        # 0 to 2, the two sockets, and the one the listing itself opened.
        self.assertEqual(len(seen["descriptors"]), 6, seen["descriptors"])
        self.assertLessEqual(set(seen["descriptors"]), set(range(7)))
        self.assertLessEqual(len(seen["processes"]), 2)
        self.assertEqual(set(seen["write"].values()) - {"EROFS", "EACCES", "EPERM", "ENOENT"}, set(), seen["write"])
        self.assertEqual(seen["scratch"], "written")
        self.assertEqual(set(seen["capabilities"]), {"0000000000000000"})
        unknown = [name for name in seen["environment"]
                   if not name.startswith("BULKHEAD_")
                   and name not in {"PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE", "PWD",
                                    "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}]
        self.assertEqual(unknown, [])
        self.assertNotIn("BULKHEAD_SOCKET", seen["environment"])


class Samples(EndToEndTest):
    """Every sample, as its author ships it."""

    def sample(self, host, name):
        source = self.directory() / name
        shutil.copytree(SAMPLES / name, source, ignore=shutil.ignore_patterns("Sources", "__pycache__"))
        program = Path(BIN).parent / name
        if program.is_file():
            shutil.copy(program, source / name)
        return host.install(source)

    def test_the_python_sample_is_served(self):
        """journal: a page, and entries that can be written, searched, changed and deleted."""
        app = self.sample(self.host(), "journal")
        self.assertIn(b"<title>", app.get("/").body)
        entry = app.ask("POST", "/api/entries", json.dumps({"title": "T", "text": "x y z"}),
                        {"Content-Type": "application/json"}).json
        path = f"/api/entries/{entry['id']}"
        self.assertEqual(app.get(path).json["text"], "x y z")
        self.assertEqual(app.ask("DELETE", path).status, 204)
        self.assertEqual(app.get(path).status, 404)

    def test_the_node_sample_is_served(self):
        """hello-node: a page, facts of the request, an echo that streams, server-sent events."""
        app = self.sample(self.host(), "hello-node")
        self.assertIn(b"<title>", app.get("/").body)
        self.assertEqual(app.get("/api/facts").json["app"]["id"], "org.example.hello-node")
        body = os.urandom(3 << 20)
        self.assertEqual(app.ask("POST", "/echo", body).body, body)
        stream = app.open("GET", "/events")
        self.assertTrue(stream.readline().startswith(b"data: "))
        stream.connection.close()

    def test_the_swift_sample_is_served(self):
        """hello-swift: a static native program with a page, a greeting and a database."""
        self.assertTrue((Path(BIN).parent / "hello-swift").is_file(), "hello-swift is built")
        app = self.sample(self.host(), "hello-swift")
        self.assertIn(b"<title>", app.get("/").body)
        self.assertEqual(app.get("/api/hello").json["language"], "Swift")
        visits = [app.ask("POST", "/api/visits").json["visits"] for _ in range(3)]
        self.assertEqual(visits, [1, 2, 3])
        self.assertEqual(app.get("/api/visits.csv").body.count(b"\r\n"), 3)

    def test_a_node_app_with_a_req_res_handler_is_served(self):
        """node:http's (req, res), streams in both directions and headers included, without a line of ours."""
        host = self.host()
        app = self.install(host, "classic", ["node", "node_http.mjs"], ["node_http.mjs"], runtime="node")
        answer = app.ask("POST", "/echo?x=1", b"p" * 300_000, {"X-Thing": "a"})
        self.assertEqual((answer.status, answer.headers["x-saw"]), (201, "POST /echo?x=1 a"))
        self.assertEqual(answer.body, b"p" * 300_000)
        self.assertEqual(app.get("/missing").status, 404)

    def test_a_node_app_with_a_fetch_handler_is_served(self):
        """A web-style fetch handler, with SQL."""
        host = self.host()
        app = self.install(host, "modern", ["node", "node_fetch.mjs"], ["node_fetch.mjs"], runtime="node",
                           more='[[sqlite]]\nname = "main"')
        self.assertEqual(app.ask("PUT", "/a", b"one").json, {"changes": 1})
        self.assertEqual(app.get("/a").body, b"one")
        self.assertEqual(app.get("/b").status, 404)

    def test_the_guest_of_the_protocol_document_is_served(self):
        """The complete client in docs/PROTOCOL.md, copied out of it, answers."""
        text = (ROOT / "docs/PROTOCOL.md").read_text()
        program = text.partition("## A complete guest")[2].partition("```perl\n")[2].partition("```")[0]
        self.assertTrue(program)
        host = self.host()
        package = self.package("perl", ["perl", "guest.pl"], runtime="native")
        (package / "guest.pl").write_text(program)
        app = host.install(package)
        self.assertEqual(app.get("/").body, b"hello\n")


if __name__ == "__main__":
    unittest.main()
