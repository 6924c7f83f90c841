# SPDX-License-Identifier: Apache-2.0
import threading

from guests import GuestTest

ECHO = """
import bulkhead, asyncio
events = []
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            events.append(message["type"])
            if message["type"] == "lifespan.startup":
                scope["state"]["started"] = "yes"
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                print("lifespan over", flush=True)
                return
    path = scope["path"]
    async def answer(body, status=200, headers=()):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    if path == "/scope":
        shown = {k: v for k, v in scope.items() if k not in ("extensions",)}
        shown["identity"] = scope["extensions"]["bulkhead"]["identity"]
        await answer(repr(shown).encode())
    elif path == "/echo":
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"a/b")]})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""),
                        "more_body": more})
    elif path == "/read":
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        await answer(b"%d" % len(body))
    elif path == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 50000, "more_body": True})
        except OSError:
            events.append("stopped")
            raise
    elif path == "/wait":
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        events.append("left")
    elif path == "/events":
        await answer(repr(events).encode())
    elif path == "/fail":
        raise ValueError("broken")
    elif path == "/half":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ValueError("broken")
    elif path == "/none":
        return
    else:
        await answer(b"hello", 201, [(b"X-Name", "I\\u00f1aki".encode())])
bulkhead.serve_asgi(app)
"""


class Serving(GuestTest):
    def test_a_response_is_one_frame(self):
        answer = self.guest(ECHO).http()
        self.assertEqual((answer.status, answer.body()), (201, b"hello"))
        self.assertEqual(answer.header("x-name"), "Iñaki")
        self.assertNotIn("stream", answer.message)

    def test_the_scope(self):
        identity = {"id": "ana", "name": "Ana", "groups": []}
        answer = self.guest(ECHO).http("PUT", "/scope?a=%20", [("Host", "n.localhost:8080"),
                                                               ("X-A", "ñ")], identity=identity)
        scope = eval(answer.body())
        expected = {"type": "http", "method": "PUT", "path": "/scope", "raw_path": b"/scope",
                    "query_string": b"a=%20", "scheme": "http", "client": ("192.0.2.7", 0),
                    "server": ("n.localhost", 8080), "http_version": "1.1", "root_path": "",
                    "headers": [(b"host", b"n.localhost:8080"), (b"x-a", "ñ".encode())],
                    "identity": identity, "state": {"started": "yes"}}
        self.assertEqual({key: scope[key] for key in expected}, expected)

    def test_bodies_stream_both_ways_at_once(self):
        data = b"0123456789" * 200_000
        answer = self.guest(ECHO).http("POST", "/echo", stream=[data])
        self.assertEqual(answer.body(), data)
        self.assertEqual(answer.header("content-type"), "a/b")

    def test_a_body_in_the_frame(self):
        host = self.guest(ECHO)
        self.assertEqual(host.http("POST", "/read", body=b"x" * 700_000).body(), b"700000")
        self.assertEqual(host.http("POST", "/read", stream=[b"x" * 700_000]).body(), b"700000")

    def test_a_stop_raises_in_the_app(self):
        host = self.guest(ECHO)
        answer = host.http(target="/endless")
        self.assertTrue(answer.piece())
        host.notify("$/stop", {"stream": answer.stream})
        answer.body()
        while b"stopped" not in host.http(target="/events").body():
            pass

    def test_a_cancel_is_a_disconnect(self):
        host = self.guest(ECHO)
        answer = host.http(target="/wait")
        host.notify("$/cancel", {"id": answer.number})
        self.assertEqual(answer.failure["code"], -32800)
        self.assertIn(b"left", host.http(target="/events").body())

    def test_failures(self):
        host = self.guest(ECHO)
        self.assertEqual(host.http(target="/fail").status, 500)
        self.assertEqual(host.http(target="/none").status, 500)
        half = host.http(target="/half")
        self.assertEqual((half.body(), half.error), (b"one", "the app failed"))

    def test_the_lifespan_begins_and_ends(self):
        host = self.guest(ECHO)
        self.assertIn(b"lifespan.startup", host.http(target="/events").body())
        self.assertEqual(host.stop(), 0)

    def test_an_app_without_a_lifespan_is_served(self):
        host = self.guest("""
            import bulkhead
            async def app(scope, receive, send):
                assert scope["type"] == "http"
                await send({"type": "http.response.start", "status": 204})
                await send({"type": "http.response.body"})
            bulkhead.serve_asgi(app)
        """)
        self.assertEqual(host.http().status, 204)
        self.assertEqual(host.stop(), 0)

    def test_an_app_that_refuses_to_start_ends_the_guest(self):
        host = self.guest("""
            import bulkhead
            async def app(scope, receive, send):
                await receive()
                await send({"type": "lifespan.startup.failed", "message": "no database"})
            bulkhead.serve_asgi(app)
        """)
        self.assertEqual(host.process.wait(30), 1)
        while "no database" not in host.stderr():
            pass

    def test_many_at_once(self):
        host = self.guest("""
            import bulkhead, asyncio
            waiting = []
            async def app(scope, receive, send):
                if scope["type"] != "http":
                    raise ValueError
                event = asyncio.Event()
                waiting.append(event)
                if len(waiting) == 16:
                    for other in waiting: other.set()
                await event.wait()
                await send({"type": "http.response.start", "status": 200})
                await send({"type": "http.response.body", "body": scope["query_string"]})
            bulkhead.serve_asgi(app)
        """)
        answers = [host.http(target=f"/?{n}") for n in range(16)]
        self.assertEqual([answer.body() for answer in answers], [b"%d" % n for n in range(16)])

    def test_shutdown_waits_for_what_is_under_way(self):
        host = self.guest(ECHO)
        go = threading.Event()

        def pieces():
            go.wait(30)
            yield b"late"

        answer = host.http("POST", "/read", stream=pieces())
        host._ask(host.next, "shutdown", {"reason": "stop", "graceMs": 5000}).result
        go.set()
        self.assertEqual(answer.body(), b"4")
        self.assertEqual(host.process.wait(30), 0)


class HostCalls(GuestTest):
    APP = """
        import bulkhead
        from bulkhead import aio, sql
        EARLY
        async def app(scope, receive, send):
            if scope["type"] != "http":
                raise ValueError
            out = []
            try:
                await work(out.append)
            except Exception:
                import traceback
                out.append(traceback.format_exc())
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": "\\n".join(map(repr, out)).encode()})
        async def work(show):
            db = aio.open("main")
            await db.batch(["CREATE TABLE t (id INTEGER PRIMARY KEY, a)"])
            show(await db.execute_many("INSERT INTO t (a) VALUES (?)", [(n,) for n in range(3)]))
            show([row["a"] async for row in db.stream("SELECT a FROM t")])
            try:
                async with db.transaction() as tx:
                    await tx.execute("DELETE FROM t")
                    raise KeyError("no")
            except KeyError:
                pass
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO t (a) VALUES (7)")
            show(await db.query("SELECT count(*) FROM t"))
            show(await aio.config())
            show(await aio.usage())
            show((await aio.cost())["totals"][0]["micros"])
            await aio.log("info", "hello", n=1)
            try:
                await aio.request("no.such")
            except bulkhead.HostError as error:
                show(error.code)
            import asyncio
            show(await asyncio.get_running_loop().run_in_executor(None, bulkhead.config.get))
            try:
                bulkhead.config.get()
            except RuntimeError as error:
                show("bulkhead.aio" in str(error))
        bulkhead.serve_asgi(app)
    """
    EXPECTED = ("(3, 3)\n[0, 1, 2]\n[(4,)]\n{'colour': 'green'}\n{'cpu': 12}\n7\n'method.unknown'\n"
                "{'colour': 'green'}\nTrue")

    def test_within_a_coroutine(self):
        host = self.guest(self.APP.replace("EARLY", ""))
        self.assertEqual(host.http().body().decode(), self.EXPECTED)
        self.assertEqual(host.logs[0]["message"], "hello")

    def test_without_the_short_way(self):
        host = self.guest(self.APP.replace("EARLY", ""), sql_fd=False)
        self.assertEqual(host.http().body().decode(), self.EXPECTED)

    def test_a_call_before_serving_leaves_the_socket_to_the_loop(self):
        host = self.guest(self.APP.replace("EARLY", "bulkhead.config.get()"))
        self.assertEqual(host.http().body().decode(), self.EXPECTED)
        self.assertEqual(host.stop(), 0)
