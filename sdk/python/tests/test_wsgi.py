# SPDX-License-Identifier: Apache-2.0
import sys
import threading
import unittest

from guests import GuestTest

HELLO = """
import bulkhead
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"hello ", environ["PATH_INFO"].encode("latin-1")]
bulkhead.serve(app)
"""

ENVIRON = """
import bulkhead
def app(environ, start):
    start("200 OK", [])
    return [repr({key: value for key, value in environ.items()
                  if isinstance(value, (str, dict, tuple, bool)) or value is None}).encode()]
bulkhead.serve(app)
"""


class Serving(GuestTest):
    def test_the_handshake_names_what_is_served(self):
        host = self.guest(HELLO)
        result = host.hello.result
        self.assertEqual(result["protocol"], 1)
        self.assertEqual(result["handles"], ["http.request"])
        self.assertTrue(result["sdk"].startswith("python/"))

    def test_a_response_is_one_frame(self):
        answer = self.guest(HELLO).http(target="/a")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("content-type"), "text/plain")
        self.assertEqual(answer.body(), b"hello /a")
        self.assertNotIn("stream", answer.message)

    def test_a_path_is_decoded_to_bytes(self):
        host = self.guest(HELLO)
        self.assertEqual(host.http(target="/a%20%C3%A9/%zz%4").body(), "hello /a é/%zz%4".encode())
        self.assertEqual(host.http(target="http://x.localhost/p?q").body(), b"hello /p")
        self.assertEqual(host.http("OPTIONS", target="*").body(), b"hello *")

    def test_the_environment(self):
        host = self.guest(ENVIRON)
        identity = {"id": "ana", "name": "Ana", "groups": ["staff"]}
        body = host.http(
            "POST", "/p%2Fq?x=%20&y", [("Host", "notes.localhost:8080"), ("X-One", "1"),
                                       ("x-one", "2"), ("Cookie", "a=1"), ("cookie", "b=2"),
                                       ("X_One", "spoofed"), ("Content-Type", "a/b")],
            b"four", identity).body()
        environ = eval(body)
        expected = {
            "REQUEST_METHOD": "POST", "PATH_INFO": "/p/q", "QUERY_STRING": "x=%20&y",
            "SCRIPT_NAME": "", "HTTP_X_ONE": "1,2", "HTTP_COOKIE": "a=1; b=2",
            "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "4", "REMOTE_ADDR": "192.0.2.7",
            "REMOTE_USER": "ana", "SERVER_NAME": "notes.localhost", "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "wsgi.multithread": True,
            "bulkhead.identity": identity,
        }
        self.assertEqual({key: environ.get(key) for key in expected}, expected)

    def test_nobody_signed_on_is_no_remote_user(self):
        self.assertNotIn("REMOTE_USER", eval(self.guest(ENVIRON).http().body()))

    def test_header_text_goes_both_ways_as_bytes(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                raw = environ["HTTP_X_NAME"].encode("latin-1")
                start("200 OK", [("X-Name", raw.decode("latin-1")), ("X-Raw", "\\xff")])
                return [raw]
            bulkhead.serve(app)
        """)
        answer = host.http(headers=[("X-Name", "Iñaki")])
        self.assertEqual(answer.body(), "Iñaki".encode())
        self.assertEqual(answer.header("x-name"), "Iñaki")
        self.assertEqual(answer.header("x-raw"), "\xff")

    def test_an_app_that_raises_is_an_error_and_the_guest_goes_on(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                if environ["PATH_INFO"] == "/bad":
                    raise ValueError("secret")
                start("200 OK", [])
                return [b"fine"]
            bulkhead.serve(app)
        """)
        answer = host.http(target="/bad")
        self.assertEqual((answer.status, answer.body()), (500, b"Internal Server Error\n"))
        self.assertEqual(host.http().body(), b"fine")
        host.stop()
        self.assertIn("ValueError: secret", host.stderr())

    def test_a_status_out_of_range_is_an_error(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                start("99 Huh", [])
                return [b""]
            bulkhead.serve(app)
        """)
        self.assertEqual(host.http().status, 500)

    def test_an_app_that_never_starts_a_response_is_an_error(self):
        host = self.guest("import bulkhead\nbulkhead.serve(lambda environ, start: [])")
        self.assertEqual(host.http().status, 500)

    def test_a_second_start_after_a_failure_replaces_the_first(self):
        host = self.guest("""
            import bulkhead, sys
            def app(environ, start):
                start("200 OK", [])
                try:
                    raise ValueError()
                except ValueError:
                    start("500 Oops", [("X-A", "1")], sys.exc_info())
                return [b"sorry"]
            bulkhead.serve(app)
        """)
        answer = host.http()
        self.assertEqual((answer.status, answer.header("x-a")), (500, "1"))

    def test_an_unknown_method_is_refused(self):
        failure = self.guest(HELLO).ask("no.such", {}).failure
        self.assertEqual(failure["code"], -32601)

    def test_ping(self):
        self.assertEqual(self.guest(HELLO).ask("ping", {}).result, {})

    def test_ids_may_be_text(self):
        host = self.guest(HELLO)
        host.next = 7
        answer = host._ask("a\"b", "ping", {})
        self.assertEqual(answer.result, {})

    def test_shutdown_ends_the_guest_with_0(self):
        host = self.guest(HELLO)
        host.http().body()
        self.assertEqual(host.stop(), 0)

    def test_shutdown_waits_for_what_is_under_way(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                body = environ["wsgi.input"].read()
                start("200 OK", [])
                return [body]
            bulkhead.serve(app)
        """)
        go = threading.Event()

        def pieces():
            go.wait(30)
            yield b"late"

        slow = host.http("POST", stream=pieces())
        shutdown = host._ask(host.next, "shutdown", {"reason": "stop", "graceMs": 5000})
        self.assertEqual(shutdown.result, {})
        self.assertIsNone(host.process.poll())
        go.set()
        self.assertEqual(slow.body(), b"late")
        self.assertEqual(host.process.wait(30), 0)

    def test_the_guest_ends_when_the_host_is_gone(self):
        host = self.guest(HELLO)
        host.http().body()
        host.close()
        self.assertEqual(host.process.returncode, 0)

    def test_code_after_serve_runs(self):
        host = self.guest(HELLO + "\nimport sys\nsys.exit(7)\n")
        self.assertEqual(host.stop(), 7)

    def test_outside_the_host_it_says_what_to_do(self):
        import subprocess

        from fake_host import SDK

        done = subprocess.run([sys.executable, "-c", HELLO], capture_output=True, text=True,
                              env={"PYTHONPATH": str(SDK)})
        self.assertIn("bulkhead dev", done.stderr)


class Bodies(GuestTest):
    ECHO = """
        import bulkhead
        def app(environ, start):
            start("200 OK", [])
            mode = environ["PATH_INFO"]
            body = environ["wsgi.input"]
            if mode == "/lines":
                return [repr(list(body)).encode()]
            if mode == "/parts":
                return [repr([body.read(3), body.readline(), body.readline(2), body.read()]).encode()]
            if mode == "/stream":
                return iter(lambda: body.read(50_000), b"")
            return [body.read()]
        bulkhead.serve(app)
    """

    def test_a_body_in_the_frame(self):
        data = bytes(range(256)) * 3000
        answer = self.guest(self.ECHO).http("POST", body=data)
        self.assertEqual(answer.body(), data)

    def test_a_body_that_arrives_in_pieces_ends_where_it_ends(self):
        data = bytes(range(256)) * 5000
        answer = self.guest(self.ECHO).http("POST", body=data[:100], stream=[data[100:]])
        self.assertEqual(answer.body(), data)

    def test_lines_across_pieces(self):
        pieces = [b"one\ntw", b"o\n", b"\nlast"]
        host = self.guest(self.ECHO)
        self.assertEqual(host.http("POST", "/lines", stream=pieces).body(),
                         repr([b"one\n", b"two\n", b"\n", b"last"]).encode())
        self.assertEqual(host.http("POST", "/lines", body=b"a\nb").body(),
                         repr([b"a\n", b"b"]).encode())
        self.assertEqual(host.http("POST", "/parts", stream=[b"abcdef\nghi", b"jkl"]).body(),
                         repr([b"abc", b"def\n", b"gh", b"ijkl"]).encode())

    def test_a_body_echoed_while_it_arrives(self):
        data = b"0123456789" * 300_000
        answer = self.guest(self.ECHO).http("POST", "/stream", stream=[data])
        self.assertEqual(answer.body(), data)

    def test_a_body_nobody_reads_is_stopped(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                start("200 OK", [])
                return [b"no thanks"]
            bulkhead.serve(app)
        """)
        answer = host.http("POST", stream=[b"x" * 10_000_000])
        self.assertEqual(answer.body(), b"no thanks")
        with host.condition:
            self.assertTrue(host.condition.wait_for(lambda: answer.upload in host.stops, 30))

    def test_a_body_the_client_breaks_off_raises(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                try:
                    environ["wsgi.input"].read()
                except OSError as error:
                    start("200 OK", [])
                    return [str(error).encode()]
            bulkhead.serve(app)
        """)
        pending = host._ask(50, "http.request", {
            "method": "POST", "target": "/", "headers": [], "remote": {}, "identity": None},
            b"part", stream=77)
        host.notify("$/data", {"stream": 77, "end": True, "error": "the client went away"})
        self.assertIn(b"the client went away", pending.body())


class Streaming(GuestTest):
    def test_a_generator_is_sent_piece_by_piece(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                start("200 OK", [])
                yield b"one"
                environ["wsgi.input"].read()
                yield b"two"
            bulkhead.serve(app)
        """)
        go = threading.Event()

        def pieces():
            go.wait(30)
            yield b"now"

        answer = host.http("POST", stream=pieces())
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.piece(), b"one")
        go.set()
        self.assertEqual(answer.body(), b"two")

    def test_a_generator_with_its_length_is_one_frame(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                start("200 OK", [("Content-Length", "3")])
                yield b"abc"
            bulkhead.serve(app)
        """)
        answer = host.http()
        self.assertEqual(answer.body(), b"abc")
        self.assertNotIn("stream", answer.message)

    def test_a_long_body_keeps_to_the_credit(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                start("200 OK", [])
                return [b"x" * 5_000_000]
            bulkhead.serve(app)
        """, grant=False)
        answer = host.http()
        have = 0
        while have < 262_144:
            have += len(answer.piece())
        self.assertEqual(have, 262_144)
        self.assertTrue(answer.pieces.empty())
        host.grant = True
        host.grant_credit(answer.stream, 262_144)
        self.assertEqual(len(answer.body()), 5_000_000 - 262_144)

    def test_a_stop_ends_the_stream_and_closes_the_iterable(self):
        host = self.guest("""
            import bulkhead
            closed = []
            class Endless:
                def __iter__(self): return self
                def __next__(self): return b"x" * 100_000
                def close(self): closed.append(1)
            def app(environ, start):
                start("200 OK", [])
                if environ["PATH_INFO"] == "/closed":
                    return [b"%d" % len(closed)]
                return Endless()
            bulkhead.serve(app)
        """)
        answer = host.http()
        self.assertTrue(answer.piece())
        host.notify("$/stop", {"stream": answer.stream})
        answer.body()
        while host.http(target="/closed").body() != b"1":
            pass

    def test_an_app_that_fails_midway_ends_the_stream_with_an_error(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                start("200 OK", [])
                yield b"one"
                raise ValueError("broken")
            bulkhead.serve(app)
        """)
        answer = host.http()
        self.assertEqual(answer.body(), b"one")
        self.assertEqual(answer.error, "the app failed")

    def test_write_the_old_way(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                write = start("200 OK", [])
                write(b"a")
                if environ["PATH_INFO"] == "/long":
                    for _ in range(10): write(b"b" * 100_000)
                return [b"c"]
            bulkhead.serve(app)
        """)
        self.assertEqual(host.http().body(), b"ac")
        self.assertEqual(len(host.http(target="/long").body()), 1_000_002)

    def test_a_file_wrapper(self):
        host = self.guest("""
            import bulkhead, io
            def app(environ, start):
                start("200 OK", [])
                return environ["wsgi.file_wrapper"](io.BytesIO(b"z" * 200_000))
            bulkhead.serve(app)
        """)
        self.assertEqual(len(host.http().body()), 200_000)


class Concurrency(GuestTest):
    MEET = """
        import bulkhead, threading
        barrier = threading.Barrier(COUNT)
        def app(environ, start):
            barrier.wait(30)
            start("200 OK", [])
            return [environ["QUERY_STRING"].encode()]
        bulkhead.serve(app)
    """

    def test_as_many_requests_at_once_as_the_host_sends(self):
        host = self.guest(self.MEET.replace("COUNT", "16"))
        answers = [host.http(target=f"/?{n}") for n in range(16)]
        self.assertEqual([answer.body() for answer in answers], [b"%d" % n for n in range(16)])

    def test_requests_wait_where_no_thread_can_be_started(self):
        host = self.guest("""
            import bulkhead, _thread, time
            import bulkhead._connection as inner
            def none(*_):
                raise RuntimeError("can't start new thread")
            inner.start_new_thread = none
            def app(environ, start):
                start("200 OK", [])
                return [environ["QUERY_STRING"].encode()]
            bulkhead.serve(app)
        """)
        answers = [host.http(target=f"/?{n}") for n in range(5)]
        self.assertEqual([answer.body() for answer in answers], [b"%d" % n for n in range(5)])

    def test_a_cancelled_request_still_answers_once(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                environ["wsgi.input"].read()
                start("200 OK", [])
                cancelled = environ["bulkhead.request"].cancelled
                return iter([b"x", repr(cancelled).encode()])
            bulkhead.serve(app)
        """)
        go = threading.Event()

        def pieces():
            go.wait(30)
            yield b"x"

        answer = host.http("POST", stream=pieces())
        host.notify("$/cancel", {"id": answer.number})
        host.ask("ping", {}).result
        go.set()
        self.assertEqual(answer.failure["code"], -32800)


class StartUp(GuestTest):
    def test_serving_imports_next_to_nothing(self):
        host = self.guest("""
            import sys
            before = set(sys.modules)
            import bulkhead
            def app(environ, start):
                start("200 OK", [])
                return [" ".join(sorted(set(sys.modules) - before)).encode()]
            bulkhead.serve(app)
        """)
        found = set(host.http().body().decode().split())
        self.assertEqual({name for name in found if not name.startswith("bulkhead")},
                         {"__future__", "_json"})


if __name__ == "__main__":
    unittest.main()
