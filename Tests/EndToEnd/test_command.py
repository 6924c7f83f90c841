# SPDX-License-Identifier: Apache-2.0
"""The command as scripts and operators meet it: exit codes, JSON, one clear error for each mistake."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from harness import BIN, ROOT, App, EndToEndTest, Host, eventually, is_root, load_tests, run_command, skip  # noqa: F401

NUMBER = (int, float)


class ExitCodes(EndToEndTest):

    def refused(self, host, code, *arguments, words=()):
        """The command exits with `code`, prints no data, and says what failed in one error with these words."""
        done = host.command(*arguments, status=code)
        self.assertEqual(done.out, "")
        errors = [line for line in done.err.splitlines() if line.lower().startswith("error:")]
        self.assertEqual(len(errors), 1, done.err)
        for word in words:
            self.assertIn(word, done.err)
        return done.err

    def test_wrong_usage_is_64(self):
        """Unknown commands and options, missing and impossible arguments."""
        host = self.host(start=False)
        for arguments in (["fly"], ["ps", "--wings"], ["restart"], ["install"], ["serve", "--listen", "nowhere"],
                          ["serve", "--listen", "127.0.0.1:99999"], ["serve", "--threads", "0"],
                          ["serve", "--log-level", "loud"], ["serve", "--identity-header", "X-User"],
                          ["logs", "x", "-n", "-1"], ["logs", "x", "--since", "yesterday"],
                          ["limit", "x", "--memory", "many"], ["new", "x", "--lang", "cobol"],
                          ["report", "usage", "--format", "pdf"]):
            with self.subTest(" ".join(arguments)):
                self.refused(host, 64, *arguments)

    def test_no_host_is_69_and_says_how_to_start_one(self):
        """Every command that needs a host."""
        host = self.host(start=False)
        package = str(self.package("web", ["python3", "web.py"], ["web.py"]))
        for arguments in (["ps"], ["status"], ["stats"], ["logs", "x"], ["events"], ["inspect", "x"],
                          ["start", "x"], ["stop", "x"], ["restart", "x"], ["uninstall", "x", "--yes"],
                          ["install", package, "--yes"], ["sql", "x"], ["secret", "list", "x"],
                          ["key", "list", "x"], ["limit", "x"], ["report", "usage"], ["doctor"]):
            with self.subTest(" ".join(arguments[:2])):
                self.refused(host, 69, *arguments, words=["bulkhead serve"])
        self.assertEqual(json.loads(host.command("version", "--json").out).get("host"), None)

    def test_a_stale_socket_is_69_for_a_client(self):
        """A socket nobody listens on."""
        host = self.host(start=False)
        host.data.mkdir()
        left = socket.socket(socket.AF_UNIX)
        left.bind(host.socket)
        left.close()
        self.refused(host, 69, "ps", words=["bulkhead serve"])

    def test_an_app_that_is_not_there_is_1_and_names_it(self):
        """Every command that takes an app."""
        host = self.host()
        for arguments in (["status", "ghost"], ["logs", "ghost"], ["inspect", "ghost"], ["start", "ghost"],
                          ["stop", "ghost"], ["restart", "ghost"], ["uninstall", "ghost", "--yes"],
                          ["sql", "ghost"], ["limit", "ghost"]):
            with self.subTest(" ".join(arguments[:2])):
                self.refused(host, 1, *arguments, words=["ghost", "bulkhead ps"])

    def test_what_nobody_agreed_to_is_77(self):
        """install and uninstall without --yes and without a terminal; nothing has changed."""
        host = self.host()
        package = self.package("web", ["python3", "web.py"], ["web.py"])
        refused = host.command("install", str(package), status=77)
        self.assertIn("--yes", refused.err)
        self.assertEqual(host.ps(), {})
        host.install(package)
        host.command("uninstall", "web", status=77)
        self.assertEqual(list(host.ps()), ["org.e2e.web"])

    def test_the_admin_socket_of_another_user_is_77(self):
        """A socket that may not be opened is not taken for a host that is not there."""
        if not is_root():
            skip("root")
        host = self.host()
        for above in (host.data, host.data.parent):
            above.chmod(0o755)
        done = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", self.readable(), "ps",
             "--socket", host.socket], capture_output=True, text=True, check=False, cwd="/")
        self.assertEqual(done.returncode, 77, done.stderr)

    def readable(self):
        """The command where any user may run it: the build may lie in a closed directory."""
        place = self.directory() / "bulkhead"
        shutil.copy(BIN, place)
        place.chmod(0o755)
        return str(place)

    def test_good_commands_are_0(self):
        """Those that need nothing, and those that find nothing."""
        host = self.host()
        for arguments in (["--help"], ["--version"], ["help", "serve"], ["version"], ["ps"], ["status"],
                          ["syscalls"], ["syscalls", "--native", "--json"], ["events"], ["doctor"], ["report", "usage"], ["report", "cost"],
                          ["stats", "--no-stream"]):
            with self.subTest(" ".join(arguments)):
                host.command(*arguments)

    def test_an_app_that_is_being_changed_is_75_for_the_next_command(self):
        """Two commands on one app: the second is told to try again, and the first goes on."""
        host = self.host()
        app = self.raw(host, "stubborn", run='stop_timeout = "2s"')
        app.get("/")
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(host.command, "stop", app.name)
            eventually(lambda: app.status["state"] != "running", "the first has begun")
            self.refused(host, 75, "restart", app.name)
            self.assertEqual(first.result().code, 0)
        self.assertEqual(app.status["state"], "disabled")

    def test_colour_is_only_for_terminals(self):
        """No escape sequence in a pipe, and none that an app prints."""
        host = self.host()
        app = self.install(host, "painter", ["sh", "-c", r"printf '\033[31mred\033[0m \a\n'; exit 1"],
                           runtime="native")
        app.get("/")
        app.await_line("red")
        for arguments in (["ps"], ["logs", "painter"], ["doctor"], ["status"]):
            done = host.command(*arguments)
            self.assertNotIn("\x1b", done.out + done.err)
            self.assertNotIn("\x07", done.out + done.err)


class Shapes(EndToEndTest):
    """What --json prints: keys, kinds and units that are never renamed."""

    def check(self, value, shape, where="value"):
        """`shape`: a type, a tuple of types, a dict of shapes (key? may be absent), [shape] for a list."""
        if isinstance(shape, dict):
            self.assertIsInstance(value, dict, where)
            for key, inner in shape.items():
                name = key.rstrip("?")
                if name in value:
                    self.check(value[name], inner, f"{where}.{name}")
                else:
                    self.assertTrue(key.endswith("?"), f"{where} has no {name}: {value}")
        elif isinstance(shape, list):
            self.assertIsInstance(value, list, where)
            for index, one in enumerate(value):
                self.check(one, shape[0], f"{where}[{index}]")
        elif shape == "time":
            self.assertRegex(value, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", where)
            datetime.fromisoformat(value.replace("Z", "+00:00"))
        else:
            self.assertIsInstance(value, shape, where)

    STATUS = {
        "id": str, "name": str, "origin": str, "url": str, "version": str, "build": int, "state": str,
        "reason?": str, "pid?": int, "uptimeSeconds?": NUMBER, "restarts": int, "cpuSeconds": NUMBER,
        "memoryBytes": int, "memoryLimitBytes": int, "lastEvent?": str, "lastEventTime?": "time",
        "weakerLayers": [str],
    }
    LIMITS = {"cpuCores": NUMBER, "memoryBytes": int, "processes": int, "storageBytes": int}
    LAYER = {"layer": str, "state": str, "detail": str, "remedy?": str}
    GRANT = {"key": str, "sentence": str, "sensitive": bool, "new": bool}

    def test_every_command_that_prints_data_prints_json(self):
        """ps, status, inspect, logs, events, doctor, version, stats, sql, limit, reports, install, uninstall."""
        host = self.host()
        package = self.package("web", ["python3", "web.py"], ["web.py"], more='[[sqlite]]\nname = "main"')
        report = json.loads(host.command("install", str(package), "--yes", "--json").out)
        self.check(report, {"id": str, "name": str, "version": str, "build": int, "url": str,
                            "replacedBuild?": int, "warnings": [str]})
        app = App(host, report["id"])
        app.ask("POST", "/notes", "Ä ☃".encode())
        self.check(host.json("ps"), [self.STATUS])
        self.check(host.json("status"), [self.STATUS])
        self.check(host.json("status", "web"), [self.STATUS])
        self.check(host.json("inspect", "web"), {
            "status": self.STATUS, "manifest": dict, "grants": [self.GRANT], "limits": self.LIMITS,
            "directories": {"root": str, "code": str, "data?": str}, "layers": [self.LAYER],
            "installedAt?": "time"})
        logs = host.json("logs", "web")
        self.check(logs, [{"time": "time", "stream": str, "text": str, "event?": str}])
        self.assertIn("started", [line.get("event") for line in logs])
        events = host.json("events")
        self.check(events, [{"time": "time", "app?": str, "kind": str, "detail": str}])
        self.assertEqual([event["kind"] for event in events][:2], ["installed", "started"])
        self.check(host.json("doctor"), [self.LAYER])
        self.check(host.json("version"), {"command": str, "host": {
            "version": str, "guestProtocol": [int], "manifestFormat": int, "pid": int, "startedAt": "time",
            "uptimeSeconds": NUMBER, "listen": str, "dataDirectory": str}})
        self.check(host.json("sql", "web"), [{"name": str, "bytes": int}])
        self.assertEqual(host.json("sql", "web", "main", "SELECT id, text FROM note"),
                         [{"id": 1, "text": "Ä ☃"}])
        self.assertIsInstance(host.json("secret", "list", "web"), list)
        self.assertIsInstance(host.json("key", "list", "web"), list)
        self.assertIsInstance(host.json("limit", "web"), (dict, list))
        self.assertIsInstance(host.json("stats", "--no-stream"), list)
        for kind in ("usage", "cost"):
            self.assertIsInstance(host.json("report", kind), (dict, list))
        self.check(host.json("uninstall", "web", "--yes"),
                   {"id": str, "name": str, "keptData?": str, "freedBytes": int})

    def test_followed_logs_are_one_object_a_line_as_they_come(self):
        """`logs -f --json` shows a line that is printed after it began, and ends when told to."""
        host = self.host()
        app = self.python(host)
        app.get("/hello")
        with subprocess.Popen([BIN, "logs", "web", "-f", "--json", "--socket", host.socket],
                              stdout=subprocess.PIPE, text=True) as follower:
            self.assertEqual(json.loads(follower.stdout.readline())["event"], "installed")
            app.get("/slow?seconds=0")
            while "slow began" not in json.loads(follower.stdout.readline())["text"]:
                pass
            follower.terminate()

    def test_log_queries_choose_lines(self):
        """-n takes the last; --since takes none from the future."""
        host = self.host()
        app = self.python(host)
        app.get("/shout?lines=20")
        eventually(lambda: len(app.printed()) == 20, "the lines are in the log")
        self.assertEqual(len(host.json("logs", "web", "-n", "5")), 5)
        self.assertEqual(host.json("logs", "web", "--since", "2100-01-01"), [])
        self.assertGreaterEqual(len(host.json("logs", "web", "--since", "1h")), 20)


class Manifests(EndToEndTest):

    def mistaken(self):
        package = self.directory() / "bad"
        package.mkdir()
        (package / "bulkhead.toml").write_text("""
manifest = 1
[app]
id = "Bad Id"
name = "Bad"
version = "1"
build = 0
colour = "red"
[run]
runtime = "pythn"
comand = ["python3"]
start_timeout = "soon"
[limits]
memory = "12 elephants"
[[outbound]]
host = "api.example.org"
methods = ["GTE"]
""")
        return package

    def test_a_manifest_with_several_mistakes_is_refused_with_every_one_of_them(self):
        """`check` and `install` exit with 65 and name path, reason and, for a misspelling, the right word."""
        host = self.host()
        package = str(self.mistaken())
        for arguments in (["check", package], ["install", package, "--yes"]):
            done = host.command(*arguments, status=65)
            self.assertEqual(done.out, "")
            for path in ("app.id", "app.build", "app.colour", "run.runtime", "run.comand", "run.command",
                         "run.start_timeout", "limits.memory", "outbound[0].methods", "outbound[0].reason"):
                self.assertIn(path, done.err)
            self.assertIn("command", [line for line in done.err.splitlines() if "comand" in line][0].split("comand", 1)[1])
            self.assertIn("python", [line for line in done.err.splitlines() if "run.runtime" in line][0])
        self.assertEqual(host.ps(), {})
        self.assertEqual(os.listdir(host.data / "apps"), [])

    def test_the_host_checks_a_manifest_again(self):
        """A client that skips the check gets the same list from the admin socket, as problem+json."""
        host = self.host()
        body = json.dumps({"source": {"directory": "/", "manifest": {"manifest": 1, "app": {"id": "X"}}},
                           "approvedGrants": []})
        status, kind, problem = self.admin(host, "POST", "/v1/apps", body)
        self.assertEqual((status, kind), (422, "application/problem+json"))
        self.assertEqual(problem["code"], "manifest.invalid")
        self.assertGreater(len(problem["issues"]), 3)
        for issue in problem["issues"]:
            self.assertTrue(issue["path"] and issue["reason"])

    def test_the_admin_socket_answers_nonsense_with_a_problem(self):
        """Unknown paths, broken JSON, duplicate keys: problem+json with a stable code, and the host lives."""
        host = self.host()
        for method, path, body, status in (("GET", "/v1/nothing", None, 404), ("POST", "/v1/apps", "{", 400),
                                           ("POST", "/v1/apps", '{"a":1,"a":2}', 400),
                                           ("GET", "/v1/apps/ghost", None, 404)):
            seen, kind, problem = self.admin(host, method, path, body)
            self.assertEqual((seen, kind), (status, "application/problem+json"), path)
            self.assertTrue(problem["code"] and problem["title"])
        host.command("ps")

    def test_monitoring_finds_health_and_metrics_on_the_admin_socket(self):
        """/healthz, /readyz and a Prometheus page that knows the app."""
        host = self.host()
        app = self.python(host)
        app.get("/hello")
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.fetch(host, "GET", path)[0], 200, path)
        status, kind, page = self.fetch(host, "GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertIn("text", kind)
        self.assertIn(f'app="{app.id}"', page.decode())
        self.assertRegex(page.decode(), r"(?m)^# TYPE bulkhead_\w+ (counter|gauge)$")

    def admin(self, host, method, path, body):
        status, kind, content = self.fetch(host, method, path, body)
        return status, kind, json.loads(content)

    def fetch(self, host, method, path, body=None):
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(host.socket)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.getheader("content-type"), content

    def test_a_package_that_is_none_is_65(self):
        """No directory, no manifest, not TOML, not UTF-8, a named directory that is not there."""
        host = self.host()
        empty = self.directory()
        broken = self.directory()
        (broken / "bulkhead.toml").write_text("manifest = 1\n[app\n")
        latin = self.directory()
        (latin / "bulkhead.toml").write_bytes(b'manifest = 1 # \xe9\n')
        missing = self.package("web", ["python3", "web.py"], ["web.py"], more='[http]\nassets = "nowhere"')
        for place, word in (("/nonexistent", "not a directory"), (empty, "bulkhead.toml"), (broken, ":2:"),
                            (latin, "UTF-8")):
            for verb in (["check"], ["install", "--yes"]):
                done = host.command(*verb, str(place), status=65)
                self.assertIn(word, done.err)
        host.command("check", str(missing), status=65)
        refused = host.command("install", str(missing), "--yes", status=None)
        self.assertIn(refused.code, (1, 65))
        self.assertIn("nowhere", refused.err)
        self.assertEqual(host.ps(), {})
        self.assertEqual(os.listdir(host.data / "apps"), [])

    def test_a_package_with_a_device_or_a_fifo_is_refused(self):
        """Only files, directories and links can be installed; nothing of the attempt is left."""
        host = self.host()
        package = self.package("web", ["python3", "web.py"], ["web.py"])
        os.mkfifo(package / "pipe")
        refused = host.command("install", str(package), "--yes", status=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("pipe", refused.err)
        self.assertEqual(os.listdir(host.data / "apps"), [])

    def test_two_apps_cannot_have_one_address(self):
        """The second is refused and told what to change; the first is untouched."""
        host = self.host()
        app = self.python(host)
        package = self.package("web", ["python3", "web.py"], ["web.py"])
        manifest = (package / "bulkhead.toml").read_text().replace("org.e2e.web", "org.other.web")
        (package / "bulkhead.toml").write_text(manifest)
        refused = host.command("install", str(package), "--yes", status=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("app.origin", refused.err)
        self.assertEqual(list(host.ps()), [app.id])
        self.assertEqual(app.get("/hello").status, 200)

    def test_a_new_package_checks_installs_and_answers(self):
        """`bulkhead new` in each language that needs no compiler."""
        host = self.host()
        place = self.directory()
        for language in ("python", "node"):
            run_command("new", str(place / f"fresh-{language}"), "--lang", language)
            host.command("check", str(place / f"fresh-{language}"))
            app = host.install(place / f"fresh-{language}")
            self.assertEqual(app.ask("POST", "/visits").json, {"visits": 1})


class Serving(EndToEndTest):
    """Hosts that cannot start: 78, one clear error, nothing changed."""

    def fails(self, host, *words, status=78):
        host.spawn()
        self.assertEqual(host.wait(), status, host.log)
        errors = [line for line in host.log.splitlines() if line.startswith("error:")]
        self.assertEqual(len(errors), 1, host.log)
        for word in words:
            self.assertIn(word, host.log)
        self.assertNotIn("serving http", host.log)

    def test_a_port_in_use_is_one_clear_error(self):
        """It names the address; whoever has the port keeps it, and the data directory can be used at once."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            host = self.host(start=False)
            host.listen = f"127.0.0.1:{port}"
            self.fails(host, str(port), "in use")
        host.listen = "127.0.0.1:0"
        host.start()
        self.assertEqual(host.ps(), {})

    def test_an_address_that_is_not_ours_is_one_clear_error(self):
        """192.0.2.1 belongs to nobody."""
        host = self.host(start=False)
        host.listen = "192.0.2.1:8080"
        self.fails(host, "192.0.2.1")

    def test_a_second_host_on_the_same_data_is_refused_and_the_first_serves_on(self):
        """78 for the second; the first does not notice."""
        host = self.host()
        app = self.python(host)
        before = app.get("/pid").json
        second = Host(host.data)
        self.addCleanup(second._log.close)
        self.fails(second, "another host")
        self.assertEqual(app.get("/pid").json, before)
        host.command("ps")

    def test_a_stale_socket_is_replaced(self):
        """A socket file that nobody listens on is no host."""
        host = self.host(start=False)
        host.data.mkdir()
        left = socket.socket(socket.AF_UNIX)
        left.bind(host.socket)
        left.close()
        host.start()
        host.command("ps")

    def test_a_file_where_the_socket_belongs_is_not_deleted(self):
        """It is something else's: one clear error, and the file is as it was."""
        host = self.host(start=False)
        host.data.mkdir()
        (host.data / "admin.sock").write_text("precious")
        self.fails(host, "admin.sock")
        self.assertEqual((host.data / "admin.sock").read_text(), "precious")

    def test_a_data_directory_that_cannot_be_made_is_one_clear_error(self):
        """Below a file; below what this user may not write."""
        place = self.directory()
        (place / "file").write_text("")
        host = self.host(start=False, data=place / "file/data")
        self.fails(host, "--data")
        closed = self.host(start=False, data=Path("/proc/bulkhead"))
        self.fails(closed, "--data")

    def test_a_data_path_too_long_for_a_socket_is_one_clear_error(self):
        """Unix sockets have 108 bytes."""
        host = self.host(start=False, data=self.directory() / ("d" * 120))
        self.fails(host, "too long")

    def test_a_layer_or_a_proxy_that_does_not_exist_is_one_clear_error(self):
        """Misspelt options of the sandbox and the gateway are not taken for something else."""
        self.fails(self.host("--allow-weaker", "secomp", start=False), "secomp")
        self.fails(self.host("--trusted-proxy", "10.0.0.0/99", start=False), "10.0.0.0/99")

    def test_a_broken_record_of_one_app_does_not_stop_the_others(self):
        """The host starts, names the app it cannot read, and serves the rest."""
        host = self.host()
        bad, good = self.python(host, "bad"), self.python(host, "good")
        host.stop()
        (bad.directory / "app.json").write_text("{")
        host.start()
        self.assertIn("org.e2e.bad", host.log)
        self.assertEqual(good.get("/hello").status, 200)
        self.assertEqual(list(host.ps()), [good.id])

    def test_the_capabilities_of_the_systemd_unit_are_enough(self):
        """A host with those of ops/bulkhead.service and no others runs, serves and stops an app with a database."""
        if not is_root():
            skip("root")
        unit = (ROOT / "ops/bulkhead.service").read_text()
        kept = re.search(r"^CapabilityBoundingSet=(.+)$", unit, re.MULTILINE).group(1).lower().split()
        host = self.host(start=False)
        host.under = ["setpriv", "--no-new-privs",
                      "--bounding-set=-all," + ",".join(name.replace("cap_", "+") for name in kept)]
        host.start()
        app = self.python(host, more='[[sqlite]]\nname = "main"', run="data_dir = true")
        app.ask("POST", "/notes", b"kept")
        self.assertEqual(app.get("/notes").json, ["kept"])
        self.assertEqual([one["layer"] for one in host.json("doctor") if one["state"] == "missing"], [])
        self.assertEqual(host.stop(), 0)

    def test_a_weaker_sandbox_is_shown_wherever_the_operator_looks(self):
        """--allow-weaker: in the log at start, in doctor, in ps."""
        host = self.host("--allow-weaker", "landlock")
        app = self.python(host)
        self.assertEqual(app.get("/hello").status, 200)
        self.assertIn("landlock", host.log)
        self.assertIn("landlock", app.status["weakerLayers"])
        states = {layer["layer"]: layer["state"] for layer in host.json("doctor")}
        self.assertNotEqual(states["landlock"], "active")
        self.assertIn("landlock", host.command("ps").out)


class FullDisk(EndToEndTest):
    """A data directory of 12 MiB, as root can mount one."""

    def small_disk(self, size):
        if not is_root():
            skip("root")
        place = self.directory() / "disk"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "bulkhead-e2e", str(place)], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(place)], check=True)
        return place

    def test_an_install_that_does_not_fit_is_one_clear_error_and_leaves_nothing(self):
        """The disk fills while files are copied: refused, cleared away, the other app serves and installs go on."""
        disk = self.small_disk("12m")
        host = self.host(data=disk / "data")
        small = self.python(host, "small")
        self.assertEqual(small.get("/hello").status, 200)
        free = shutil.disk_usage(disk).free
        large = self.package("large", ["python3", "web.py"], ["web.py"], assets={"big": b"x" * (16 << 20)})
        refused = host.command("install", str(large), "--yes", status=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("full", refused.err)
        self.assertEqual(list(host.ps()), [small.id])
        self.assertFalse((host.data / "apps/org.e2e.large").exists())
        self.assertLess(free - shutil.disk_usage(disk).free, 1 << 20)
        self.assertEqual(small.get("/hello").status, 200)
        self.python(host, "next")

    def test_a_disk_that_fills_up_is_an_error_of_the_statement_and_not_the_end_of_the_host(self):
        """Writes fail with a word, reads and assets go on, and after room is made writes go on too."""
        disk = self.small_disk("24m")
        host = self.host(data=disk / "data")
        app = self.python(host, more='[[sqlite]]\nname = "main"', assets={"page.txt": b"page"})
        app.ask("POST", "/notes", b"before")
        ballast = disk / "ballast"
        with open(ballast, "wb") as file:
            try:
                while True:
                    file.write(b"\0" * 65_536)
                    file.flush()
            except OSError:
                pass
        code = app.get("/fill").json["code"]
        self.assertTrue(code, "a full disk is told")
        self.assertEqual(app.get("/notes").json, ["before"])
        self.assertEqual(app.get("/page.txt").body, b"page")
        self.assertEqual(host.command("ps").code, 0)
        ballast.unlink()
        self.assertEqual(app.ask("POST", "/notes", b"after").status, 200)
        self.assertEqual(app.get("/notes").json, ["before", "after"])

    def test_a_host_that_finds_its_disk_full_says_so(self):
        """serve on a full disk: one clear error, 78."""
        disk = self.small_disk("64k")
        (disk / "ballast").write_bytes(b"\0" * (60 << 10))
        host = self.host(start=False, data=disk / "data")
        host.spawn()
        self.assertEqual(host.wait(), 78, host.log)
        self.assertIn("error:", host.log)


if __name__ == "__main__":
    unittest.main()
