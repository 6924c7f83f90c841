# SPDX-License-Identifier: Apache-2.0
"""Guests that break the protocol, over the real path: ended with a named reason, and nobody else notices."""

import http.client
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import EndToEndTest, Process, eventually, load_tests  # noqa: F401
from wire import Wire

FLAT = 64 << 20
"""Bytes by which the host's resident peak may rise while a guest does its worst."""


class Hostile(EndToEndTest):

    def setUp(self):
        self.bulkhead = self.host()
        self.good = self.python(self.bulkhead, "good")
        self.before = self.good.get("/pid").json
        self.peak = self.bulkhead.peak()

    def tearDown(self):
        self.assertEqual(self.good.get("/pid").json, self.before, "the neighbour is the same process")
        self.assertLess(self.bulkhead.peak() - self.peak, FLAT)

    def guest(self, behaviour, **manifest):
        return self.raw(self.bulkhead, behaviour, behaviour, **manifest)

    def reasons(self, app):
        return [line["text"].partition(":")[0] for line in app.log() if line.get("event") == "violation"]

    def await_reason(self, app, reason, patience=30.0):
        eventually(lambda: reason in self.reasons(app), f"{app.id} is ended for {reason}; {app.log()[-4:]}",
                   patience)


class Frames(Hostile):
    """What a guest does right after the handshake, and the word for it."""

    ENDS = {
        "frame-length": "frame.length",
        "frame-tiny": "frame.length",
        "json-length": "frame.json_length",
        "json-too-long": "frame.json_length",
        "duplicate-keys": "json.invalid",
        "deep": "json.invalid",
        "not-utf8": "json.invalid",
        "trailing": "json.invalid",
        "no-message": "message.invalid",
        "great-credit": "message.invalid",
        "unknown-id": "response.unknown_id",
        "reply-twice": "response.unknown_id",
        "duplicate-id": "request.duplicate_id",
        "stream-unknown": "stream.unknown",
        "socket-closed": "socket.closed",
    }

    def test_every_broken_frame_ends_the_guest_with_its_named_reason(self):
        """The word is in `bulkhead logs`, in ps and in the client's error; the process is gone."""
        for behaviour, reason in self.ENDS.items():
            with self.subTest(behaviour):
                app = self.guest(behaviour, more='[[sqlite]]\nname = "main"')
                answer = self.patient_get(app)
                self.await_reason(app, reason)
                app.await_event("crashed")
                self.assertIn(reason, app.status["reason"])
                self.assertIsNone(app.status.get("pid"))
                if answer is not None and answer.status != 200:
                    self.assertEqual((answer.status, answer.json["code"]),
                                     (502, "upstream.crashed" if reason == "socket.closed" else f"upstream.{reason}"))

    def test_a_stream_beyond_its_credit_ends_the_guest(self):
        """A guest that sends on while the client reads nothing: `stream.credit`, not the host's memory."""
        app = self.guest("stream-credit")
        with Wire(app) as wire:
            wire.request("GET", "/")
            self.await_reason(app, "stream.credit")

    def patient_get(self, app):
        """The answer, or nothing where it broke off."""
        try:
            return app.get("/")
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def test_every_broken_handshake_ends_the_guest_with_its_named_reason(self):
        """A request before the answer to `initialize`, another protocol, no answer at all."""
        for behaviour, reason in (("early", "handshake.order"), ("wrong-protocol", "handshake.protocol"),
                                  ("silent", "handshake.timeout")):
            with self.subTest(behaviour):
                app = self.guest(behaviour, run='start_timeout = "300ms"')
                answer = app.get("/")
                self.assertEqual((answer.status, answer.json["code"]), (502, "upstream.start_failed"))
                self.assertIn(reason, answer.json["detail"])
                self.await_reason(app, reason)
                eventually(lambda: app.status.get("pid") is None, "its process is gone")

    def test_an_answer_that_is_no_answer_fails_its_call_and_not_the_guest(self):
        """Status 99: 502 for that client, the next one is served by the same process."""
        app = self.guest("bad-status")
        self.assertEqual(app.get("/").json["code"], "upstream.answer")
        pid = app.status["pid"]
        self.assertEqual(app.get("/").body, b"fine")
        self.assertEqual(app.status["pid"], pid)


class Patience(Hostile):
    """Reasons that only time can give: each takes 30 s, so all wait together."""

    takes_long = True

    def test_guests_that_stall_are_ended_in_time(self):
        """A frame never finished, a reader that never reads, places held by cancelled calls."""
        unfinished = self.guest("frame-timeout")
        unread = self.guest("never-reads")
        greedy = self.guest("granting")
        held = self.guest("never-answers", run="max_concurrency = 1")
        pool = ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        answer = pool.submit(unfinished.get, "/")
        # One upload's first credit fits the kernel's buffers and waits there; that of eight does not.
        for app in [unread] * 8 + [greedy]:
            wire = Wire(app)
            self.addCleanup(wire.socket.close)
            wire.request("POST", "/", "Content-Length: 1000000000\n")
            threading.Thread(target=self.push, args=(wire,), daemon=True).start()
        with Wire(held) as wire:
            wire.request("GET", "/")
            eventually(lambda: held.status["state"] == "running", "the guest has the request")
        self.await_reason(unfinished, "frame.timeout", patience=60)
        self.assertEqual(answer.result().json["code"], "upstream.frame.timeout")
        self.await_reason(unread, "reader.stalled", patience=60)
        self.await_reason(greedy, "reader.stalled", patience=60)
        self.await_reason(held, "cancel.ignored", patience=60)

    def push(self, wire):
        piece = b"p" * 65_536
        try:
            while True:
                wire.socket.sendall(piece)
        except OSError:
            pass


class SlowClients(Hostile):
    """Clients that send a byte now and then."""

    takes_long = True

    def test_a_head_that_does_not_end_and_a_body_that_trickles_are_refused_in_time(self):
        """408 for both, and the connections end."""
        head, body = Wire(self.good), Wire(self.good)
        for wire in (head, body):
            self.addCleanup(wire.socket.close)
        head.send("GET /hello HTTP/1.1\n")
        body.request("POST", "/count", "Content-Length: 200000\n", b"a little")
        self.assertEqual(head.answer().status, 408)
        self.assertTrue(head.is_closed)
        seen = body.answer()
        self.assertEqual((seen.status, b"request.body_timeout" in seen.body), (408, True))
        self.assertTrue(body.is_closed)


class Floods(Hostile):

    def test_requests_without_end_and_answers_never_read_are_held_back(self):
        """The host stops reading; its memory stays bounded; stopping the app works at once."""
        app = self.guest("request-flood", run='stop_timeout = "200ms"')
        pool = ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        answer = pool.submit(app.get, "/")
        process = eventually(lambda: app.status.get("pid") and Process.of(app.status["pid"]), "it runs")
        for _ in range(20):
            self.assertEqual(self.good.get("/hello").body, b"hello\n")
        self.bulkhead.command("stop", app.name)
        self.assertFalse(process.lives)
        self.assertGreaterEqual(answer.result().status, 500)

    def test_notifications_without_end_are_read_and_forgotten(self):
        """A million credits for a stream that is not: the guest is answered at the end of them."""
        app = self.guest("notification-flood")
        self.assertEqual(app.get("/").body, b"flooded")

    def test_streams_that_no_method_takes_are_bounded(self):
        """Requests with streamed bodies: refused one by one, then the guest is ended with a named reason."""
        app = self.guest("many-streams", more='[[sqlite]]\nname = "main"')
        self.assertEqual(app.get("/").status, 502)
        self.await_reason(app, "stream.unknown")

    def test_a_guest_that_eats_its_cpu_leaves_the_neighbour_served(self):
        """A tight loop in one app; another app answers all the while."""
        app = self.guest_web("spinner", limits="cpu = 0.2")
        pool = ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        spinning = pool.submit(app.get, "/burn?seconds=0.4")
        while not spinning.done():
            self.assertEqual(self.good.get("/hello").body, b"hello\n")
        self.assertEqual(spinning.result().status, 200)

    def guest_web(self, name, **manifest):
        return self.python(self.bulkhead, name, **manifest)

    def test_a_full_database_is_an_error_for_its_app_alone(self):
        """Storage of 4 MiB: the app is told a quota word, and can still read what it has."""
        app = self.guest_web("full", limits='storage = "4MiB"', more='[[sqlite]]\nname = "main"')
        self.assertEqual(app.ask("POST", "/notes", b"kept").status, 200)
        code = app.get("/fill").json["code"]
        self.assertTrue(code and code.startswith("quota."), code)
        self.assertEqual(app.get("/notes").json, ["kept"])


if __name__ == "__main__":
    unittest.main()
