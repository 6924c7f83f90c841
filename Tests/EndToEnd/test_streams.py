# SPDX-License-Identifier: Apache-2.0
"""Bodies larger than any buffer, in both directions, while the host's memory stays flat."""

import hashlib
import threading
import unittest

from harness import EndToEndTest, eventually, load_tests  # noqa: F401
from wire import Wire

GIB = 1 << 30
FLAT = 64 << 20
"""Bytes by which the host's resident peak may rise while a gibibyte passes."""


class Streams(EndToEndTest):

    def pieces(self, total, digest=None):
        piece = bytes(range(256)) * 4096
        while total:
            part = piece[:total]
            if digest is not None:
                digest.update(part)
            total -= len(part)
            yield part

    def test_a_gibibyte_goes_up_through_a_python_guest_while_the_hosts_memory_stays_flat(self):
        """The guest counts 1 GiB; VmHWM of the host rises by less than 64 MiB."""
        host = self.host()
        app = self.python(host)
        app.get("/hello")
        before = host.peak()
        answer = app.ask("POST", "/count", self.pieces(GIB), {"Content-Length": str(GIB)})
        self.assertEqual(answer.json, {"bytes": GIB})
        self.assertLess(host.peak() - before, FLAT)

    def test_a_gibibyte_comes_down_from_a_python_guest_while_the_hosts_memory_stays_flat(self):
        """The client counts 1 GiB; VmHWM of the host rises by less than 64 MiB."""
        host = self.host()
        app = self.python(host)
        app.get("/hello")
        before = host.peak()
        response = app.open("GET", f"/download?bytes={GIB}")
        buffer, count = bytearray(1 << 20), 0
        while True:
            got = response.readinto(buffer)
            if not got:
                break
            count += got
        response.connection.close()
        self.assertEqual(count, GIB)
        self.assertLess(host.peak() - before, FLAT)

    def test_a_body_goes_up_unchanged_with_and_without_a_length(self):
        """64 MiB: the digest the guest computed is that of what was sent."""
        app = self.python(self.host())
        for headers in ({"Content-Length": str(64 << 20)}, {}):  # {}: http.client sends chunks
            digest = hashlib.sha256()
            answer = app.ask("POST", "/upload", self.pieces(64 << 20, digest), headers)
            self.assertEqual(answer.json, {"bytes": 64 << 20, "sha256": digest.hexdigest()})

    def test_bodies_around_every_bound_of_a_frame_are_echoed_unchanged(self):
        """Empty, one byte, around 64 KiB, the credit, one frame and several."""
        app = self.python(self.host())
        for bound in (0, 1, 1 << 16, 1 << 18, 786_432, 1 << 20, 3 << 20):
            for size in {max(0, bound - 1), bound, bound + 1}:
                body = b"".join(self.pieces(size))
                answer = app.ask("POST", "/echo", body)
                self.assertEqual((answer.status, len(answer.body)), (200, size))
                self.assertEqual(answer.body, body)

    def test_an_echo_begins_before_the_upload_has_ended(self):
        """Both directions at once: the first bytes come back while the rest has not been sent."""
        app = self.python(self.host())
        with Wire(app) as wire:
            wire.request("POST", "/echo", "Transfer-Encoding: chunked\n")
            wire.send("6\nfirst \n")
            self.assertEqual(wire.head().status, 200)
            self.assertEqual(wire.chunk(), b"first ")
            wire.send("4\nlast\n0\n\n")
            self.assertEqual(wire.chunk(), b"last")
            self.assertEqual(wire.chunk(), b"")

    def test_the_first_server_sent_event_arrives_while_the_guest_still_works(self):
        """It is read before the guest may make the second, and the stream is not held back to fill a buffer."""
        app = self.python(self.host(), run="data_dir = true")
        with Wire(app) as wire:
            wire.request("GET", "/events")
            head = wire.head()
            self.assertEqual(head.headers["content-type"], "text/event-stream")
            self.assertEqual(wire.chunk(), b"data: first\n\n")
            (app.directory / "data/open").write_text("")
            self.assertEqual(wire.chunk(), b"data: second\n\n")
            self.assertEqual(wire.chunk(), b"")

    def test_a_slow_reader_slows_the_writer(self):
        """A client that stops reading stops the guest after some megabytes; reading on brings all the rest."""
        host = self.host()
        app = self.python(host)
        total = 256 << 20
        with Wire(app) as wire:
            wire.request("GET", f"/download?bytes={total}")
            wire.head()
            before = host.rss()
            last = [-1]

            def stands_still():
                now = app.get("/produced").json["produced"]
                was, last[0] = last[0], now
                return now if now == was else None

            held = eventually(stands_still, "the guest stops producing")
            self.assertLess(held, 32 << 20)
            self.assertLess(host.rss() - before, 16 << 20)
            rest = total - len(wire.rest)
            while rest:
                rest -= len(wire.socket.recv(1 << 20))
        self.assertEqual(app.get("/produced").json["produced"], total)

    def test_a_slow_guest_slows_the_uploader(self):
        """A guest that reads nothing yet: the client can push only some megabytes, and the host stays small."""
        host = self.host()
        app = self.python(host, run="data_dir = true")
        app.get("/hello")
        before = host.peak()
        sent = [0]
        with Wire(app) as wire:
            wire.request("POST", "/wait", f"Content-Length: {GIB}\n")
            app.await_line("in flight 1")
            pusher = threading.Thread(target=self.push, args=(wire.socket, sent), daemon=True)
            pusher.start()
            last = [-1]

            def stands_still():
                was, last[0] = last[0], sent[0]
                return was == sent[0] and sent[0] > 0 or app.get("/hello") is None

            eventually(stands_still, "the client can push no more")
            self.assertLess(sent[0], 64 << 20)
            self.assertLess(host.peak() - before, FLAT)
            (app.directory / "data/open").write_text("")
            self.assertEqual(wire.answer().body, b"through\n")

    def push(self, socket, sent):
        piece = b"p" * 65_536
        try:
            while True:
                sent[0] += socket.send(piece)
        except OSError:
            pass

    def test_fifty_streams_at_once_come_down_whole(self):
        """50 clients, 2 MiB each, one guest: every byte arrives."""
        app = self.python(self.host(), run="max_concurrency = 50")
        wires = [Wire(app) for _ in range(50)]
        for wire in wires:
            self.addCleanup(wire.socket.close)
            wire.request("GET", f"/download?bytes={2 << 20}")
        wanted = b"".join(self.pieces(2 << 20))
        for wire in wires:
            self.assertEqual(wire.answer().body, wanted)

    def test_a_guest_that_dies_in_the_midst_of_an_answer_breaks_the_connection(self):
        """A cut answer is never taken for a whole one: the connection ends before the announced length."""
        app = self.python(self.host())
        with Wire(app) as wire:
            wire.request("GET", f"/download?bytes={64 << 20}")
            wire.head()
            app.ask("GET", "/crash")
            with self.assertRaises((ConnectionError, OSError)):
                wire.exactly(64 << 20)


if __name__ == "__main__":
    unittest.main()
