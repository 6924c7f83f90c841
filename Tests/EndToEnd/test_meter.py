# SPDX-License-Identifier: Apache-2.0
"""The meter against what is known: the app's own counters, the bytes on the client's socket, the kernel's cgroup files.

Nothing here looks at the clock on the wall: amounts are compared with amounts.
"""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import BIN, ROOT, EndToEndTest, eventually, load_tests, run_command, skip  # noqa: F401

sys.path.insert(0, str(ROOT / "scripts"))
import burn  # noqa: E402

MIB = 1 << 20
PRICES = """
currency = "EUR"
[[version]]
number = 1
from = "2026-01-01"
[[version.price]]
sku = "cpu"
title = "CPU"
meters = ["cpu.user", "cpu.system", "cpu.host"]
unit = "core-hour"
price = "36"
[[version.price]]
sku = "out"
title = "Traffic out"
meters = ["ingress.sent"]
unit = "gib"
price = "1000"
"""


class MeterTest(EndToEndTest):

    def burner(self, host):
        return host.install(ROOT / "samples/burner")

    def has_cgroups(self, host):
        return {layer["layer"]: layer["state"] for layer in host.json("doctor")}["cgroup"] == "active"

    def need_cgroups(self, host):
        if not self.has_cgroups(host):
            skip("cgroup")

    def operator(self, host):
        return burn.Operator(BIN, host.socket)

    def kernel(self, host, app):
        """Microseconds of CPU of all processes the app ever had on this host, from the cgroup above theirs."""
        for path in host.cgroups():
            if not path.endswith(f"/app-{app.id}"):
                continue
            total = Path(path, "cpuacct.usage")
            if total.exists():
                return int(total.read_text()) // 1000
            stat = Path(path, "cpu.stat")
            if stat.exists() and "usage_usec" in stat.read_text():
                return int(dict(line.split() for line in stat.read_text().splitlines())["usage_usec"])
        raise AssertionError(f"no cgroup of {app.id} counts CPU: {host.cgroups()}")

    def near(self, found, known, part, what):
        self.assertLessEqual(abs(found - known), part * known, f"{what}: {found}, known {known}")


class Amounts(MeterTest):
    takes_long = True

    def test_known_amounts_are_reported_within_one_per_cent(self):
        """1 s of CPU, processes that live 50 ms, 128 MiB, files, a database, bytes in and out: what scripts/demo --burn does."""
        host = self.host()
        self.need_cgroups(host)
        app = self.burner(host)
        figures = burn.measure(self.operator(host), burn.Client(f"http://{app.authority}"))
        self.assertEqual(len(figures), 9)
        self.assertEqual([str(one) for one in figures if not one.is_near], [], "\n" + burn.table(figures))

    def test_report_stats_usage_and_kernel_agree(self):
        """After a burst, a steady load and the database's work the four say the same within one per cent."""
        host = self.host()
        self.need_cgroups(host)
        app = self.burner(host)
        operator = self.operator(host)
        known = app.ask("POST", "/api/cpu?seconds=1").json["seconds"]
        for _ in range(20):
            known += app.ask("POST", "/api/cpu?seconds=0.05").json["seconds"]
        app.ask("POST", "/api/query?rows=2000000")
        reported = operator.settled(operator.cpu)
        kernel = self.kernel(host, app) / 1e6
        self.near(reported, kernel, 0.01, "the report and the kernel")
        self.assertGreater(reported, known)
        stats = host.json("stats", "burner")[0]
        usage = app.get("/api/usage").json
        own = sum(line["quantity"] for line in usage["meters"] if line["meter"] in ("cpu.user", "cpu.system")) / 1e6
        self.near(own, kernel, 0.01, "usage.get and the kernel")
        self.near(stats["cpuSeconds"], usage["cpuSeconds"], 0.01, "stats and usage.get")
        self.assertEqual({line["source"] for line in usage["meters"] if line["meter"] == "cpu.user"} & {"host"}, set())

    def test_a_thousand_processes_that_live_50_ms_are_all_counted(self):
        """1,000 children in one guest, and guests themselves, started and stopped again: within five per cent."""
        host = self.host()
        self.need_cgroups(host)
        app = self.burner(host)
        operator = self.operator(host)
        app.get("/api/usage")
        before = operator.settled(operator.cpu)
        done = app.ask("POST", "/api/children?count=1000&live=50&burn=5").json
        self.assertEqual(done["count"], 1000)
        self.assertGreaterEqual(done["seconds"], 5.0)
        self.near(operator.settled(operator.cpu) - before, done["seconds"], 0.05, "the children")
        # Each of these lives less than the second between two samples.
        for _ in range(15):
            host.command("restart", "burner")
        host.command("stop", "burner")
        self.near(operator.cpu(), self.kernel(host, app) / 1e6, 0.01, "short-lived guests, report and kernel")

    def test_the_report_says_where_its_figures_were_read(self):
        """Cgroups where there are any, else /proc in clock ticks: then too what was burnt is what is reported."""
        host = self.host()
        app = self.burner(host)
        operator = self.operator(host)
        app.get("/api/usage")
        before = operator.settled(operator.cpu)
        known = app.ask("POST", "/api/cpu?seconds=1").json["seconds"]
        self.near(operator.settled(operator.cpu) - before, known, 0.01 if self.has_cgroups(host) else 0.04, "1 s")
        sources = {row["source"] for row in host.json("report", "usage")["sources"]}
        words = host.command("report", "usage").out
        if self.has_cgroups(host):
            self.assertLessEqual(sources, {"cgroup1", "cgroup2"})
            self.assertIn("the kernel's cgroup counters", words)
        else:
            self.assertEqual(sources, {"proc"})
            self.assertIn("/proc of the process tree", words)
        # What a guest used before it ended comes from wait4 then, and is not lost either.
        host.command("stop", "burner")
        self.assertGreaterEqual(operator.cpu(), known)

    def test_memory_over_time_is_in_proportion_to_what_is_held(self):
        """Two apps sampled at the same moments: their byte-seconds are to each other as the kernel's figures are."""
        host = self.host()
        self.need_cgroups(host)
        apps = []
        for name, size in (("small", 64), ("large", 192)):
            package = self.directory() / name
            shutil.copytree(ROOT / "samples/burner", package)
            manifest = (package / "bulkhead.toml").read_text()
            (package / "bulkhead.toml").write_text(
                manifest.replace("org.example.burner", f"org.e2e.{name}").replace("Burner", name))
            app = host.install(package)
            self.assertEqual(app.ask("POST", f"/api/memory?bytes={size * MIB}").json["bytes"], size * MIB)
            apps.append(app)

        def held():
            rows = host.json("report", "usage", "--by", "app")["rows"]
            return [sum(row["quantity"] for row in rows if row["meter"] == "memory.time" and row["app"] == app.id)
                    for app in apps]

        host.json("stats")  # Reads the kernel now: what was held before does not count into the first second.
        start = held()
        kernel = [0, 0]

        def risen():
            time.sleep(0.2)
            for index, app in enumerate(apps):
                kernel[index] += app.status["memoryBytes"]
            rise = [now - then for then, now in zip(start, held())]
            return rise if rise[0] > 500_000 else None

        rise = eventually(risen, "memory over time rises")
        self.assertGreater(kernel[1], 2 * kernel[0])
        self.near(rise[1] / rise[0], kernel[1] / kernel[0], 0.01, "the proportion")


class Continuity(MeterTest):

    def test_counters_survive_restarts_of_guest_and_host_and_a_crash_shows_its_gap(self):
        """kill -9 of the host: what was written stays, nothing is counted twice, the report names the gap."""
        host = self.host()
        self.need_cgroups(host)
        app = self.burner(host)
        operator = self.operator(host)
        app.ask("POST", "/api/cpu?seconds=0.5")
        host.command("restart", "burner")
        app.ask("POST", "/api/cpu?seconds=0.5")
        before = operator.settled(operator.cpu)
        self.assertGreater(before, 1.0)
        kernel = self.kernel(host, app) / 1e6
        host.kill()
        host.start()
        after = operator.cpu()
        self.assertGreaterEqual(after, before)
        self.near(after, kernel, 0.01, "the report after a crash")
        gaps = host.json("report", "usage")["gaps"]
        self.assertEqual([gap["reason"] for gap in gaps], ["crash"])
        self.assertIn("the host ended without closing its book", host.command("report", "usage").out)
        app.ask("POST", "/api/cpu?seconds=0.2")
        self.near(operator.settled(operator.cpu) - after, self.kernel(host, app) / 1e6, 0.02, "since the new start")
        self.assertEqual(host.stop(), 0)
        host.start()
        self.assertEqual([gap["reason"] for gap in host.json("report", "usage")["gaps"]], ["crash", "stopped"])


class Money(MeterTest):

    def test_an_app_is_told_the_cost_its_operator_sees(self):
        """usage.cost: lines with meters, price version and millionths; nothing before there are prices, and the same in the cost report."""
        host = self.host()
        app = self.burner(host)
        self.assertEqual(app.get("/api/cost").json["lines"], [])
        book = self.directory() / "prices.toml"
        book.write_text(PRICES)
        host.command("prices", str(book))
        app.ask("POST", "/api/cpu?seconds=0.5")
        app.get(f"/api/download?bytes={4 * MIB}")
        cost = app.get("/api/cost").json
        self.assertEqual([(line["sku"], line["priceVersion"], line["currency"]) for line in cost["lines"]],
                         [("cpu", 1, "EUR"), ("out", 1, "EUR")])
        for line in cost["lines"]:
            self.assertEqual(line["quantity"], sum(meter["quantity"] for meter in line["meters"]))
            self.assertGreater(line["micros"], 0)
        # 36 EUR an hour is 0.01 EUR a second.
        cpu = cost["lines"][0]
        self.assertLessEqual(cpu["micros"], round(cpu["quantity"] * 0.01) + 1)
        self.assertEqual(cost["totals"], [{"currency": "EUR", "micros": sum(line["micros"] for line in cost["lines"])}])
        self.assertTrue(cost["since"].endswith("-01T00:00:00Z"))
        host.command("stop", "burner")
        report = host.json("report", "cost")
        money = round(float(report["money"][0]["cost"]) * 1e6)
        self.assertGreaterEqual(money, cost["totals"][0]["micros"])
        self.assertEqual(money, sum(round(float(row["cost"]) * 1e6) for row in report["rows"]))
        focus = host.command("report", "cost", "--format", "csv").out.splitlines()
        self.assertEqual(len(focus), 3)
        for column in ("BilledCost", "ConsumedQuantity", "SkuId", "ChargePeriodStart", "ProviderName", "x_"):
            self.assertIn(column, focus[0])

    def test_a_price_book_that_overlaps_or_changes_currency_in_mid_month_is_refused_by_name(self):
        """Exit 65 or 1 with every problem; what was in force stays."""
        host = self.host()
        book = self.directory() / "prices.toml"
        book.write_text(PRICES)
        host.command("prices", str(book))
        before = host.json("prices")
        second = PRICES[PRICES.index("[[version]]"):].replace("number = 1", "number = 2")
        dollars = second.replace('from = "2026-01-01"', 'from = "2099-02-15"\ncurrency = "USD"')
        for other, words in ((second, "before version 1 ends"), (dollars, "currency")):
            book.write_text(PRICES + other)
            done = host.command("prices", str(book), status=65)
            self.assertIn("version 2", done.err)
            self.assertIn(words, done.err)
        self.assertEqual(host.json("prices"), before)


class Budgets(MeterTest):

    def test_concurrent_requests_cannot_overshoot_their_budget(self):
        """40 clients at once, a budget of 25: no more than that and those in flight get through; a restart forgets nothing."""
        host = self.host()
        app = self.python(host)
        app.get("/hello")
        host.command("limit", "web", "--meter", "requests", "--per", "month", "--max", "25", "--action", "stop")
        with ThreadPoolExecutor(40) as pool:
            answers = [answer.status for answer in pool.map(lambda _: app.get("/hello"), range(200))]
        passed = answers.count(200)
        self.assertEqual(set(answers), {200, 503})
        # One was used before; a tick in between may grant again what is in flight while it counts.
        self.assertGreaterEqual(passed, 24)
        self.assertLessEqual(passed, 24 + 40)
        app.await_event("budget")
        refused = app.get("/hello")
        self.assertEqual(refused.status, 503)
        self.assertGreater(int(refused.headers["retry-after"]), 1)
        budget = host.json("limit", "web")["budgets"][0]
        self.assertGreaterEqual(budget["used"], 25)
        self.assertEqual(host.stop(), 0)
        host.start()
        self.assertEqual(app.get("/hello").status, 503, "a restart gave the budget back")
        host.command("limit", "web", "--remove", "requests/month")
        self.assertEqual(app.get("/hello").status, 200)

    def test_a_budget_in_money_slows_an_app_down(self):
        """Throttled: one request a second gets through, the others are told to come back."""
        host = self.host()
        app = self.burner(host)
        book = self.directory() / "prices.toml"
        book.write_text(PRICES)
        host.command("prices", str(book))
        app.ask("POST", "/api/cpu?seconds=0.5")
        host.command("limit", "burner", "--meter", "money.EUR", "--per", "month", "--max", "100", "--action", "throttle")
        eventually(lambda: 503 in [app.get("/api/usage").status for _ in range(4)], "the app is slowed down")
        self.assertEqual(app.status["state"], "running")
        self.assertGreaterEqual(host.json("limit", "burner")["budgets"][0]["used"], 100)


class Events(MeterTest):

    def metrics(self, host):
        done = subprocess.run(["curl", "-s", "--unix-socket", host.socket, "http://host/metrics"],
                              capture_output=True, text=True, check=True)
        return done.stdout

    def value(self, text, name, **labels):
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        found = [line for line in text.splitlines()
                 if line.startswith(name + "{") and all(label in line for label in wanted)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def test_failures_durations_and_blocked_calls_reach_metrics_report_and_stats(self):
        """A crash, an end for want of memory, refused system calls in development mode; promtool has nothing to say."""
        host = self.host("--development")
        self.need_cgroups(host)
        app = self.python(host, limits='memory = "64MiB"')
        for _ in range(3):
            app.get("/hello")
        port = host.port
        app.get(f"/sealed?port={port}&path=/etc/passwd")
        app.ask("GET", "/crash")
        app.await_event("crashed")
        host.command("start", "web")
        app.ask("GET", "/eat")
        app.await_event("oom")
        app.await_event("crashed", 2)

        def told():
            text = self.metrics(host)
            seen = (self.value(text, "bulkhead_app_restarts_total", reason="crashed"),
                    self.value(text, "bulkhead_app_restarts_total", reason="oom"))
            return text if seen == (1, 1) else ""

        text = eventually(told, "both failures are in the metrics")
        self.assertGreaterEqual(self.value(text, "bulkhead_app_oom_kills_total"), 1)
        self.assertGreaterEqual(self.value(text, "bulkhead_app_seccomp_denials_total", syscall="socket"), 2)
        self.assertEqual(self.value(text, "bulkhead_app_http_request_duration_seconds_count"), 6)
        self.assertEqual(self.value(text, "bulkhead_app_http_requests_total"), 6)
        self.assertEqual(self.value(text, "bulkhead_app_http_request_duration_seconds_bucket", le="+Inf"), 6)
        if shutil.which("promtool"):
            lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual((lint.returncode, lint.stdout + lint.stderr), (0, ""))
        self.assertGreater(self.value(text, "bulkhead_app_cpu_seconds_total", mode="host"), 0)
        rows = {(row["meter"], row.get("label", "")): row["quantity"]
                for row in host.json("report", "usage", "--by", "destination")["rows"]}
        self.assertEqual((rows["events.restarts", "crashed"], rows["events.restarts", "oom"]), (1, 1))
        self.assertGreaterEqual(rows["events.oom", ""], 1)
        self.assertGreaterEqual(rows["events.blocked_syscalls", "socket"], 2)
        stats = host.json("stats", "web")[0]
        self.assertEqual(stats["restarts"], 2)
        self.assertEqual(stats["restarts"], app.status["restarts"])
        self.assertGreaterEqual(stats["oomKills"], 1)
        self.assertGreaterEqual(stats["blockedCalls"], 2)


class Top(MeterTest):

    def test_top_shows_processes_rates_and_limits(self):
        """Once where nobody looks; JSON has the counters; the guest and its database's process are listed."""
        host = self.host()
        app = self.burner(host)
        app.ask("POST", "/api/query?rows=10")
        host.command("limit", "burner", "--meter", "requests", "--per", "day", "--max", "1000", "--action", "warn")
        top = host.json("top", "burner")
        self.assertEqual(top["state"], "running")
        processes = {process["pid"]: process for process in top["processes"]}
        self.assertIn(app.status["pid"], processes)
        self.assertEqual({process["role"] for process in top["processes"]}, {"guest", "sql"})
        self.assertTrue(all(process["memoryBytes"] > 0 and process["threads"] > 0 for process in top["processes"]))
        self.assertEqual(top["limits"]["memoryBytes"], 512 * MIB)
        self.assertEqual([budget["meter"] for budget in top["budgets"]], ["requests"])
        self.assertEqual(top["requestDurations"]["counts"][-1], top["stats"]["requests"])
        for arguments in (["top", "burner"], ["top", "burner", "--once"]):
            text = host.command(*arguments).out
            self.assertNotIn("\x1b", text)
            for word in ("org.example.burner", "memory", "512 MiB", "requests/day", "python3", "SQLWorker"):
                self.assertIn(word, text)
        host.command("top", "nobody", status=1)
        host.command("top", status=64)
        host.command("top", "burner", "--once", "--follow", status=64)

    def test_top_of_a_stopped_app_says_that_nothing_runs(self):
        """No process, no rate, and no error."""
        host = self.host()
        self.burner(host)
        text = host.command("top", "burner").out
        self.assertIn("stopped", text)
        self.assertIn("no process runs", text)
        self.assertEqual(host.json("top", "burner")["processes"], [])

    def test_on_a_terminal_top_is_renewed_until_it_is_interrupted(self):
        """Two views at least, each in the place of the one before."""
        host = self.host()
        app = self.burner(host)
        app.get("/api/usage")
        child, terminal = pty.fork()
        if child == 0:
            os.execve(BIN, [BIN, "top", "burner", "--socket", host.socket],
                      {**os.environ, "TERM": "xterm", "NO_COLOR": ""})
        seen = b""
        while seen.count(b"\x1b[H") < 2:
            seen += os.read(terminal, 4096)
        os.kill(child, signal.SIGINT)
        _, status = os.waitpid(child, 0)
        os.close(terminal)
        self.assertTrue(os.WIFSIGNALED(status) or os.WEXITSTATUS(status) in (0, 130), status)
        self.assertIn(b"org.example.burner", seen)


class LedgerChoice(MeterTest):

    def refused(self, code, *options, words=()):
        data = self.directory() / "data"
        done = run_command("serve", "--data", str(data), "--listen", "127.0.0.1:0", *options)
        self.assertEqual(done.code, code, done.err)
        for word in words:
            self.assertIn(word, done.err)
        return data

    def test_tigerbeetle_without_what_it_needs_is_refused_by_name(self):
        """64 for a command line that cannot be meant, 78 where the library is missing or another; never the other ledger."""
        self.refused(64, "--ledger", "postgres")
        self.refused(64, "--ledger", "tigerbeetle", words=["--tigerbeetle-address", "--tigerbeetle-client"])
        self.refused(64, "--tigerbeetle-address", "127.0.0.1:3000", words=["--ledger tigerbeetle"])
        place = ["--ledger", "tigerbeetle", "--tigerbeetle-address", "127.0.0.1:1", "--tigerbeetle-client"]
        data = self.refused(78, *place, "/nowhere/libtb_client.so",
                            words=["no libtb_client", "/nowhere/libtb_client.so", "PyPI"])
        self.assertFalse((data / "meter/ledger.sqlite").exists(), "the embedded ledger was used all the same")
        other = self.directory() / "libtb_client.so"
        other.write_text("not a library")
        self.refused(78, *place, str(other), words=["SHA-256"])

    def test_a_cluster_that_does_not_answer_ends_the_start(self):
        """With the real client library and nobody at the address."""
        library = os.environ.get("BULKHEAD_TB_CLIENT")
        if not library:
            skip("libtb_client")
        data = self.refused(
            78, "--ledger", "tigerbeetle", "--tigerbeetle-address", "127.0.0.1:1", "--tigerbeetle-client", library,
            words=["no TigerBeetle cluster 0 answers at 127.0.0.1:1", "5 s"])
        self.assertFalse((data / "meter/ledger.sqlite").exists())
        self.assertFalse((data / "meter/ledger-place").exists())

    def test_a_book_keeps_the_ledger_it_began_with(self):
        """A data directory with the embedded ledger is not taken over by another."""
        host = self.host()
        self.assertEqual(host.stop(), 0)
        done = run_command("serve", "--data", str(host.data), "--listen", "127.0.0.1:0", "--ledger", "tigerbeetle",
                           "--tigerbeetle-address", "127.0.0.1:1", "--tigerbeetle-client", "/nowhere/x.so")
        self.assertEqual(done.code, 78)
        self.assertIn("--ledger says tigerbeetle", done.err)


class FileTrouble(MeterTest):

    def test_a_book_or_ledger_of_a_newer_version_is_refused_by_name_and_left_alone(self):
        """78, the file's name and version; not one byte is changed."""
        import sqlite3
        for name in ("meter.sqlite", "ledger.sqlite"):
            with self.subTest(name):
                host = self.host()
                self.assertEqual(host.stop(), 0)
                path = host.data / "meter" / name
                with sqlite3.connect(path) as file:
                    file.execute("PRAGMA user_version = 99")
                file.close()
                before = path.read_bytes()
                done = run_command("serve", "--data", str(host.data), "--listen", "127.0.0.1:0")
                self.assertEqual(done.code, 78)
                self.assertIn(name, done.err)
                self.assertIn("newer", done.err)
                self.assertEqual(path.read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
