# SPDX-License-Identifier: Apache-2.0
"""The life of a guest: on demand, many at once, bounded, stopped, started again, crashed."""

import os
import signal
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import SLOWNESS, EndToEndTest, Process, descendants, eventually, load_tests, skip  # noqa: F401
from wire import Wire

QUEUE = 256
"""Requests that may wait for a place, docs/SPECIFICATION.md."""


class Demand(EndToEndTest):

    def test_a_guest_is_started_by_the_first_request_and_by_nothing_before_it(self):
        """Installed: no process. First request: one process, which the next requests find again."""
        host = self.host()
        app = self.python(host)
        self.assertEqual((app.status["state"], app.status.get("pid")), ("stopped", None))
        first = app.get("/pid").json
        self.assertEqual(app.get("/pid").json, first)
        self.assertEqual(app.status["state"], "running")

    def test_a_crowd_that_finds_the_guest_stopped_starts_it_once(self):
        """20 requests at once to a stopped app are all answered by one process."""
        app = self.python(self.host())
        with ThreadPoolExecutor(20) as crowd:
            answers = list(crowd.map(lambda _: app.get("/pid").json["started"], range(20)))
        self.assertEqual(len(set(answers)), 1)

    def test_as_many_requests_at_once_as_max_concurrency_says_and_no_more(self):
        """Of five requests three reach a guest with max_concurrency 3; the others when those are done."""
        app = self.python(self.host(), run="data_dir = true\nmax_concurrency = 3")
        with ThreadPoolExecutor(5) as crowd:
            waiting = [crowd.submit(app.get, "/wait") for _ in range(5)]
            app.await_line("in flight 3")
            (app.directory / "data/open").write_text("")
            self.assertEqual([one.result().body for one in waiting], [b"through\n"] * 5)
        seen = [line for line in app.printed() if line.startswith("in flight")]
        self.assertEqual(len(seen), 5)
        self.assertNotIn("in flight 4", seen)

    def test_a_full_queue_refuses_at_once_with_retry_after(self):
        """With one place and 256 waiting, the next client gets 503 and Retry-After while all others still wait."""
        app = self.python(self.host(), run="data_dir = true\nmax_concurrency = 1")
        first, *others = [Wire(app) for _ in range(1 + QUEUE)]
        for one in (first, *others):
            self.addCleanup(one.socket.close)
        first.request("GET", "/wait")
        app.await_line("in flight 1")
        for one in others:
            one.request("GET", "/hello")
        refused = eventually(lambda: self.refusal(app), "the queue is full")
        self.assertIn(b"overloaded.queue", refused.body)
        self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
        (app.directory / "data/open").write_text("")
        self.assertEqual(first.answer().body, b"through\n")
        self.assertEqual({one.answer().body for one in others}, {b"hello\n"})

    def refusal(self, app):
        """A refusal, or nothing if the request got a place in the queue; leaving gives that back."""
        with Wire(app, timeout=0.5) as extra:
            extra.request("GET", "/hello")
            try:
                seen = extra.answer()
            except OSError:
                return None
            return seen if seen.status == 503 else None

    def test_an_idle_guest_is_stopped_and_the_next_request_starts_it_again(self):
        """idle_timeout passes without work: no process, event `idle`; then a new process answers."""
        app = self.python(self.host(), run=f'idle_timeout = "{SLOWNESS:.0f}s"')
        first = app.get("/pid").json
        process = Process.of(app.status["pid"])
        app.await_state("stopped")
        self.assertFalse(process.lives)
        self.assertIn("idle", app.events())
        self.assertNotEqual(app.get("/pid").json["started"], first["started"])
        self.assertEqual(app.status["restarts"], 0)

    def test_a_guest_at_work_is_not_idle(self):
        """A request longer than idle_timeout is answered by the guest that began it."""
        app = self.python(self.host(), run='idle_timeout = "500ms"')
        self.assertEqual(app.get("/slow?seconds=3").body, b"done\n")
        self.assertNotIn("crashed", app.events())


class Stopping(EndToEndTest):

    def in_flight(self, app, path="/slow?seconds=1.5"):
        """A request that has reached the guest, and the future of its answer."""
        pool = ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        answer = pool.submit(app.get, path)
        app.await_line("slow began")
        return answer

    def test_stop_lets_a_request_in_flight_finish(self):
        """`bulkhead stop` while a request is being answered: the client gets its answer, then the process is gone."""
        app = self.python(self.host())
        answer = self.in_flight(app)
        app.host.command("stop", app.name)
        self.assertEqual(answer.result().body, b"done\n")
        self.assertEqual(app.status["state"], "disabled")
        self.assertEqual(app.get("/hello").status, 503)

    def test_restart_lets_a_request_in_flight_finish(self):
        """`bulkhead restart` likewise; afterwards another process answers."""
        app = self.python(self.host())
        before = app.get("/pid").json
        answer = self.in_flight(app)
        app.host.command("restart", app.name)
        self.assertEqual(answer.result().body, b"done\n")
        self.assertNotEqual(app.get("/pid").json["started"], before["started"])
        self.assertEqual(app.status["restarts"], 0)

    def test_sigterm_to_the_host_lets_a_request_in_flight_finish(self):
        """The host stops with 0 after the client has its answer."""
        host = self.host()
        app = self.python(host)
        answer = self.in_flight(app)
        self.assertEqual(host.stop(), 0)
        self.assertEqual(answer.result().body, b"done\n")

    def test_a_guest_that_does_not_stop_when_asked_is_killed_after_its_stop_timeout(self):
        """A guest that ignores `shutdown` is gone when `stop` returns."""
        app = self.raw(self.host(), "stubborn", run='stop_timeout = "500ms"')
        self.assertEqual(app.get("/").body, b"still here")
        process = Process.of(app.status["pid"])
        app.host.command("stop", app.name)
        self.assertFalse(process.lives)
        self.assertEqual(app.status["state"], "disabled")

    def test_stop_leaves_no_process_and_no_cgroup_of_the_app(self):
        """After `bulkhead stop` the host has no child and the app no cgroup with a process in it."""
        host = self.host()
        app = self.python(host, more='[[sqlite]]\nname = "main"')
        app.ask("POST", "/notes", b"x")
        before = host.processes()
        self.assertGreaterEqual(len(before), 2)
        host.command("stop", app.name)
        eventually(lambda: not host.processes(), "all children of the host are gone")
        eventually(lambda: not [path for path in host.cgroups() if "/run-" in path], "no run has a cgroup")

    def test_an_orderly_stop_of_the_host_leaves_nothing(self):
        """SIGTERM: no process, no cgroup directory, no mount, no socket."""
        host = self.host()
        app = self.python(host, more='[[sqlite]]\nname = "main"')
        app.ask("POST", "/notes", b"x")
        processes = host.processes()
        self.assertEqual(host.stop(), 0)
        self.assertEqual([one for one in processes if one.lives], [])
        self.assertEqual(host.cgroups(), [])
        self.assertEqual(host.mounts(), [])
        self.assertFalse((host.data / "admin.sock").exists())
        self.assertNotIn(" error ", host.log)


class Failing(EndToEndTest):

    def test_a_crash_is_told_to_the_client_and_the_next_request_gets_a_new_guest(self):
        """502 for the request that crashed it; `crashed` in the log with the exit code; then an answer, one restart."""
        app = self.python(self.host())
        first = app.get("/pid").json
        crashed = app.get("/crash")
        self.assertEqual((crashed.status, crashed.json["code"]), (502, "upstream.crashed"))
        self.assertNotEqual(app.get("/pid").json["started"], first["started"])
        self.assertEqual(app.status["restarts"], 1)
        told = [line["text"] for line in app.log() if line.get("event") == "crashed"]
        self.assertEqual(len(told), 1)
        self.assertIn("code 3", told[0])

    def test_a_guest_that_crashes_again_and_again_is_started_less_and_less_often(self):
        """Backoff: after a few crashes a request is refused at once with 503 and the seconds to wait."""
        app = self.python(self.host())
        refused = None
        for _ in range(12):
            answer = app.get("/crash")
            if answer.status == 503:
                refused = answer
                break
            self.assertEqual(answer.status, 502)
        self.assertIsNotNone(refused, "12 crashes in a row and never a backoff")
        self.assertEqual(refused.json["code"], "overloaded.backoff")
        self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
        status = app.status
        self.assertEqual(status["state"], "backoff")
        self.assertIn("code 3", status["reason"])
        # The operator's word overrides it.
        app.host.command("start", app.name)
        self.assertEqual(app.get("/hello").status, 200)

    def test_a_neighbour_does_not_notice_a_crash(self):
        """Another app's process is the same before and after."""
        host = self.host()
        bad, good = self.python(host, "bad"), self.python(host, "good")
        before = good.get("/pid").json
        bad.get("/crash")
        self.assertEqual(good.get("/pid").json, before)

    def test_a_guest_killed_from_outside_is_replaced(self):
        """SIGKILL to the app's process: the next request is answered by another one."""
        self.replaced_after(lambda app: [app.status["pid"]])

    def test_a_killed_monitor_takes_its_guest_with_it_and_both_are_replaced(self):
        """SIGKILL to the launcher that watches the guest: no orphan, and the next request is answered."""
        self.replaced_after(lambda app: self.ancestors(app)[-1:])

    def test_a_killed_namespace_init_takes_its_guest_with_it_and_both_are_replaced(self):
        """SIGKILL to pid 1 of the guest's namespace likewise."""
        self.replaced_after(lambda app: self.ancestors(app)[:1])

    def ancestors(self, app):
        """The guest's parents, nearest first, up to but without the host."""
        found, pid = [], app.status["pid"]
        while True:
            with open(f"/proc/{pid}/stat") as stat:
                pid = int(stat.read().rpartition(")")[2].split()[1])
            if pid == app.host.pid:
                return found
            found.append(pid)

    def replaced_after(self, victims):
        app = self.python(self.host())
        before = app.get("/pid").json
        # Not all of the host's: a cell that waits for the next start has nothing to do with this one.
        monitor = self.ancestors(app)[-1]
        processes = [Process.of(monitor), *descendants(monitor)]
        for pid in victims(app):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(one.lives for one in processes), "everything of the old guest is gone")
        self.assertNotEqual(app.get("/pid").json["started"], before["started"])
        self.assertIn("crashed", app.events())

    def test_memory_over_the_limit_is_a_named_event(self):
        """The kernel's OOM kill is `oom` in the log, in ps and to the client; the neighbour lives."""
        host = self.host()
        if not self.has_cgroups(host):
            skip("cgroup")
        good = self.python(host, "good")
        before = good.get("/pid").json
        app = self.python(host, "hungry", limits='memory = "32MiB"')
        answer = app.get("/eat")
        self.assertEqual(answer.status, 502)
        app.await_event("oom")
        status = app.status
        self.assertIn("oom", status["reason"])
        self.assertIn("oom", app.events())
        self.assertIn("oom", [event["kind"] for event in host.json("events")])
        self.assertEqual(good.get("/pid").json, before)
        self.assertEqual(app.get("/hello").status, 200)

    def has_cgroups(self, host):
        layers = {layer["layer"]: layer["state"] for layer in host.json("doctor")}
        return layers["cgroup"] == "active"

    def test_a_guest_that_cannot_have_more_memory_ends_and_the_host_does_not(self):
        """With or without cgroups: 32 MiB stay 32 MiB, the app fails, the host serves on."""
        host = self.host()
        app = self.python(host, "hungry", limits='memory = "32MiB"')
        answer = app.get("/eat")
        self.assertGreaterEqual(answer.status, 500)
        self.assertEqual(app.get("/hello").status, 200)

    def test_a_guest_that_never_answers_initialize_is_ended_after_its_start_timeout(self):
        """502 for who waits, `handshake.timeout` in the log, no process left."""
        host = self.host()
        app = self.raw(host, "silent", run='start_timeout = "300ms"')
        answer = app.get("/")
        self.assertEqual((answer.status, answer.json["code"]), (502, "upstream.start_failed"))
        self.assertTrue(any("handshake.timeout" in line["text"] for line in app.log()))
        # A cell may wait for the next start by now: launchers alone, which have not become any program.
        eventually(lambda: {one.name for one in host.processes()} <= {"SandboxLaunch"}, "no process is left")
        failed = host.command("start", "raw", status=1)
        self.assertIn("handshake.timeout", failed.err)

    def test_a_command_that_exits_at_once_is_one_clear_error(self):
        """502 with its exit code for the client, what it printed in the log, `start` fails with 1."""
        host = self.host()
        app = self.raw(host, "leave-at-once")
        answer = app.get("/")
        self.assertEqual((answer.status, answer.json["code"]), (502, "upstream.start_failed"))
        self.assertIn("code 3", answer.json["detail"])
        app.await_line("nothing to do")
        failed = host.command("start", "raw", status=1)
        self.assertIn("code 3", failed.err)
        self.assertIn("bulkhead logs", failed.err)
        self.assertEqual(host.ps()[app.id]["state"], "backoff")

    def test_a_runtime_that_is_not_there_is_one_clear_error(self):
        """The command is not on this machine: the error names it, and nothing is left behind."""
        host = self.host()
        app = self.install(host, "absent", ["no-such-runtime-3", "main"], runtime="native")
        failed = host.command("start", "absent", status=1)
        self.assertIn("no-such-runtime-3", failed.err + str(app.log()))
        answer = app.get("/")
        self.assertIn(answer.status, (502, 503))
        self.assertEqual(host.processes(), [])
        self.assertEqual(self.python(host).get("/hello").status, 200)

    def test_a_guest_that_prints_without_end_fills_neither_disk_nor_memory(self):
        """150 MB of output: the log stays within its bound, says what was dropped, and the host stays small."""
        host = self.host()
        app = self.raw(host, "print-flood")
        self.assertEqual(app.get("/").body, b"printed")
        app.await_event("log_dropped")
        size = sum(file.stat().st_size for file in (app.directory / "log").iterdir())
        self.assertLess(size, 64 << 20)
        self.assertLess(host.peak(), 128 << 20)


class Survivors(EndToEndTest):
    """What is left when the host dies of SIGKILL."""

    def test_kill_9_of_the_host_leaves_no_process_and_no_mount_and_the_next_start_sweeps_the_rest(self):
        """Guests, monitors and SQL workers end with the host; the next host on the same data starts and serves."""
        host = self.host()
        apps = [self.python(host, name, more='[[sqlite]]\nname = "main"') for name in ("one", "two")]
        for app in apps:
            app.ask("POST", "/notes", b"x")
        processes = host.processes()
        self.assertGreaterEqual(len(processes), 4)
        host.kill()
        eventually(lambda: not [one for one in processes if one.lives], "no process survives", patience=2)
        self.assertEqual(host.mounts(), [])
        eventually(lambda: not [path for path in host.cgroups() if self.members(path)],
                   "no cgroup has a process", patience=2)
        host.start()
        # Cells of the new host wait for the next start.
        self.assertEqual([path for path in host.cgroups() if "/run-" in path and "/run-ready-" not in path], [])
        self.assertEqual(apps[0].get("/notes").json, ["x"])
        self.assertEqual(host.stop(), 0)

    def members(self, path):
        try:
            with open(path + "/cgroup.procs") as members:
                return members.read().split()
        except OSError:
            return []

    def test_kill_9_in_the_midst_of_starting_guests_leaves_no_process(self):
        """The host dies while many guests are on their way up."""
        host = self.host()
        apps = [self.python(host, f"app{number}") for number in range(6)]
        threads = [threading.Thread(target=self.try_get, args=(app,), daemon=True) for app in apps]
        for thread in threads:
            thread.start()
        eventually(lambda: len(host.processes()) >= 4, "guests are starting")
        processes = host.processes()
        host.kill()
        eventually(lambda: not [one for one in processes if one.lives], "no process survives", patience=2)
        self.assertEqual(self.left(host), [])

    def left(self, host):
        """Processes in any of the host's cgroups, those included that were born after we looked."""
        return [pid for path in host.cgroups() for pid in self.members(path)]

    def try_get(self, app):
        try:
            app.get("/hello")
        except OSError:
            pass

    def test_a_host_that_was_killed_may_be_started_again_at_once(self):
        """Its socket and lock are no hindrance: stale, not in use."""
        host = self.host()
        host.kill()
        self.assertTrue((host.data / "admin.sock").exists())
        host.start()
        self.assertEqual(host.json("version")["host"]["pid"], host.pid)


if __name__ == "__main__":
    unittest.main()
