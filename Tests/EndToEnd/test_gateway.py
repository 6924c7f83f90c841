# SPDX-License-Identifier: Apache-2.0
"""HTTP in: what a client sees on the wire, and what of it an app gets to see."""

import os
import re
import unittest

from harness import EndToEndTest, load_tests  # noqa: F401
from wire import Wire


class Connections(EndToEndTest):

    def test_a_connection_is_kept_for_the_next_request(self):
        """Three requests, one connection; `Connection: close` ends it after the answer."""
        with Wire(self.python(self.host())) as wire:
            for _ in range(3):
                wire.request("GET", "/hello")
                self.assertEqual(wire.answer().body, b"hello\n")
            wire.request("GET", "/hello", "Connection: close\n")
            seen = wire.answer()
            self.assertEqual((seen.body, seen.headers["connection"]), (b"hello\n", "close"))
            self.assertTrue(wire.is_closed)

    def test_pipelined_requests_are_answered_in_their_order(self):
        """A slow request first, quick ones and an asset behind it: the answers come as they were asked."""
        app = self.python(self.host(), assets={"note.txt": b"an asset\n"})
        with Wire(app) as wire:
            host = f"Host: {app.authority}\n"
            wire.send("".join(f"GET {path} HTTP/1.1\n{host}\n" for path in
                              ("/slow?seconds=0.4", "/hello", "/note.txt", "/missing", "/hello")))
            answers = [wire.answer() for _ in range(5)]
        self.assertEqual([seen.status for seen in answers], [200, 200, 200, 404, 200])
        self.assertEqual([answers[0].body, answers[1].body, answers[2].body],
                         [b"done\n", b"hello\n", b"an asset\n"])

    def test_a_body_read_by_nobody_does_not_become_the_next_request(self):
        """A POST whose body looks like a request, to an app that ignores it: two answers, not three."""
        app = self.python(self.host())
        trap = f"GET /pid HTTP/1.1\r\nHost: {app.authority}\r\n\r\n".encode()
        with Wire(app) as wire:
            wire.request("POST", "/hello", f"Content-Length: {len(trap)}\n", trap)
            self.assertEqual(wire.answer().body, b"hello\n")
            wire.request("GET", "/missing", "Connection: close\n")
            self.assertEqual(wire.answer().status, 404)
            self.assertTrue(wire.is_closed)

    def test_http_1_0_is_answered_and_closed(self):
        """A streamed answer without a length ends with the connection."""
        app = self.python(self.host())
        with Wire(app) as wire:
            wire.send(f"POST /echo HTTP/1.0\nHost: {app.authority}\nContent-Length: 3\n\n", b"abc")
            head = wire.head()
            self.assertNotIn("transfer-encoding", head.headers)
            while wire.more():
                pass
            self.assertEqual(wire.rest, b"abc")

    def test_head_has_the_head_of_get_and_no_body(self):
        """HEAD of an app's answer and of an asset; the connection goes on."""
        app = self.python(self.host(), assets={"note.txt": b"an asset\n"})
        with Wire(app) as wire:
            for path, length in (("/hello", 6), ("/note.txt", 9)):
                wire.request("HEAD", path)
                seen = wire.answer(to="HEAD")
                self.assertEqual((seen.status, seen.headers["content-length"]), (200, str(length)))
            wire.request("GET", "/hello")
            self.assertEqual(wire.answer().body, b"hello\n")

    def test_100_continue_is_sent_before_the_body_is(self):
        """A client that asks gets 100 first, then sends, then gets its answer."""
        with Wire(self.python(self.host())) as wire:
            wire.request("POST", "/count", "Content-Length: 100000\nExpect: 100-continue\n")
            self.assertEqual(wire.head().status, 100)
            wire.send("", b"x" * 100_000)
            self.assertEqual(wire.answer().body, b'{"bytes": 100000}')

    def test_no_100_continue_for_a_request_that_is_refused(self):
        """An unknown app: the refusal comes instead of 100, so the body need not be sent."""
        app = self.python(self.host())
        with Wire(app) as wire:
            wire.send("POST / HTTP/1.1\nHost: nobody.localhost\nContent-Length: 5000000\n"
                      "Expect: 100-continue\n\n")
            self.assertEqual(wire.head().status, 404)

    def test_chunked_bodies_arrive_whole(self):
        """Chunks with extensions and trailers; the app sees the bytes and no Transfer-Encoding."""
        with Wire(self.python(self.host())) as wire:
            wire.request("POST", "/echo", "Transfer-Encoding: chunked\nContent-Type: text/x\n")
            wire.send("4;a=b\nwiki\n5\npedia\n0\nX-Trailer: 1\n\n")
            seen = wire.answer()
            self.assertEqual((seen.body, seen.headers["content-type"]), (b"wikipedia", "text/x"))

    def test_ambiguous_and_oversized_heads_are_refused_and_closed(self):
        """Request smuggling and swollen heads: each gets its status, and the connection ends."""
        app = self.python(self.host())
        host = f"Host: {app.authority}\n"
        cases = {
            "two lengths": (f"POST / HTTP/1.1\n{host}Content-Length: 3\nContent-Length: 4\n\n", 400),
            "length and chunked": (
                f"POST / HTTP/1.1\n{host}Content-Length: 3\nTransfer-Encoding: chunked\n\n", 400),
            "odd transfer coding": (f"POST / HTTP/1.1\n{host}Transfer-Encoding: xchunked\n\n", 400),
            "negative length": (f"POST / HTTP/1.1\n{host}Content-Length: -1\n\n", 400),
            "space before colon": (f"GET / HTTP/1.1\n{host}X-A : 1\n\n", 400),
            "folded header": (f"GET / HTTP/1.1\n{host}X-A: 1\n 2\n\n", 400),
            "two hosts": (f"GET / HTTP/1.1\n{host}{host}\n", 400),
            "no host": ("GET / HTTP/1.1\n\n", 400),
            "another authority": (f"GET http://other.localhost/ HTTP/1.1\n{host}\n", 400),
            "long target": (f"GET /{'a' * 9000} HTTP/1.1\n{host}\n", 414),
            "large head": (f"GET / HTTP/1.1\n{host}X-A: {'a' * 70_000}\n\n", 431),
            "many headers": (f"GET / HTTP/1.1\n{host}" + "X-A: 1\n" * 150 + "\n", 431),
            "not HTTP": ("\x16\x03\x01\x02\n\n", 400),
            "another version": (f"GET / HTTP/3.0\n{host}\n", 505),
        }
        for name, (text, status) in cases.items():
            with self.subTest(name), Wire(app) as wire:
                wire.send(text)
                seen = wire.head()
                self.assertEqual(seen.status, status)
                wire.until(b"}\n")
                self.assertTrue(wire.is_closed)
        self.assertEqual(app.status["state"], "stopped", "none of them reached the app")
        self.assertEqual(app.get("/hello").status, 200)

    def test_a_bare_line_feed_does_not_end_a_line(self):
        """LF without CR is refused: what one server takes for two lines another takes for one."""
        app = self.python(self.host())
        with Wire(app) as wire:
            wire.socket.sendall(f"GET / HTTP/1.1\r\nHost: {app.authority}\nX-A: 1\r\n\r\n".encode())
            self.assertEqual(wire.head().status, 400)

    def test_names_that_are_no_app_are_404_and_the_hosts_own_name_has_a_page(self):
        """An unknown label, a label below an app's, and the host itself."""
        host = self.host()
        app = self.python(host)
        for name in ("nobody.localhost", f"a.{app.name}.localhost", "example.org"):
            self.assertEqual(app.get("/", {"Host": f"{name}:{host.port}"}).status, 404, name)
        page = app.get("/", {"Host": f"localhost:{host.port}"})
        self.assertEqual(page.status, 200)
        self.assertIn(app.name.encode(), page.body)
        self.assertEqual(app.get("/hello", {"Host": app.authority.upper()}).body, b"hello\n")

    def test_a_client_that_leaves_cancels_its_call(self):
        """The guest is told `$/cancel`; its place is free again once it has answered."""
        app = self.raw(self.host(), "cancels", run="max_concurrency = 1")
        with Wire(app) as wire:
            wire.request("GET", "/forever")
            app.await_line("asked /forever")
        app.await_line("cancelled")
        self.assertEqual(app.get("/quick").body, b"quick")

    def test_a_client_that_leaves_an_event_stream_ends_it(self):
        """The generator that produces the events is closed."""
        app = self.python(self.host())
        with Wire(app) as wire:
            wire.request("GET", "/ticks")
            wire.head()
            self.assertEqual(wire.chunk(), b"data: tick\n\n")
        app.await_line("ticks ended")


class Headers(EndToEndTest):
    """What an app is told, whatever a client claims."""

    IDENTITY = ["Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Remote-User",
                "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
                "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Auth-Request-User",
                "X-Auth-Request-Email", "X-Bulkhead-User", "X-Bulkhead-Identity"]
    FORWARDED = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
                 "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP"]
    HOP_BY_HOP = ["Keep-Alive", "TE", "Trailer", "Proxy-Connection", "Proxy-Authorization", "Proxy",
                  "Upgrade", "X-Original-URL", "X-Rewrite-URL"]

    def folded(self, name):
        """As WSGI, CGI and PHP read a name."""
        return re.sub(r"[^a-z0-9]", "-", name.lower())

    def names_seen(self, app, headers, source=None):
        seen = app.ask("GET", "/facts", headers=headers, source=source).json
        names = {self.folded(name) for name, _ in seen["request"]["headers"]}
        environ = {self.folded(key[5:]) for key in seen["environ"] if key.startswith("HTTP_")}
        return names | environ, seen

    def test_identity_and_hop_by_hop_headers_of_a_client_never_reach_an_app(self):
        """In every spelling that some software folds into the same name: with underscores, dots, any case."""
        app = self.python(self.host())
        headers = {"X-Own": "kept"}
        for name in self.IDENTITY + self.FORWARDED + self.HOP_BY_HOP:
            for spelling in (name, name.replace("-", "_"), name.replace("-", "."), name.upper(),
                             name.lower().replace("-", "_")):
                headers[spelling] = "6.6.6.6"
        # More than a head may have: in portions.
        items = [item for item in headers.items() if item[0] != "X-Own"]
        for begin in range(0, len(items), 60):
            names, seen = self.names_seen(app, dict(items[begin:begin + 60], **{"X-Own": "kept"}))
            self.assertIn("x-own", names)
            forbidden = {self.folded(name) for name in self.IDENTITY + self.FORWARDED + self.HOP_BY_HOP}
            self.assertEqual(names & forbidden, set())
            self.assertIsNone(seen["request"]["identity"])
            self.assertEqual(seen["request"]["remote"], {"ip": "127.0.0.1", "scheme": "http"})
            self.assertEqual(seen["environ"]["REMOTE_ADDR"], "127.0.0.1")
            self.assertNotIn("REMOTE_USER", seen["environ"])

    def test_headers_that_connection_names_do_not_reach_an_app(self):
        """RFC 9110 §7.6.1."""
        app = self.python(self.host())
        names, _ = self.names_seen(app, {"Connection": "X-Secret, keep-alive", "X-Secret": "1", "X-Open": "2"})
        self.assertIn("x-open", names)
        self.assertEqual(names & {"x-secret", "connection"}, set())

    def test_hop_by_hop_headers_of_an_app_never_reach_a_client(self):
        """Nor the fields its Connection names; a cookie loses its Domain, so that it stays the app's own."""
        app = self.python(self.host())
        with Wire(app) as wire:
            wire.request("GET", "/hop")
            seen = wire.answer()
            self.assertEqual(seen.body, b"hop\n")
            for name in ("x-private", "keep-alive", "upgrade", "transfer-encoding"):
                self.assertNotIn(name, seen.headers)
            self.assertEqual(seen.headers["x-public"], "2")
            self.assertNotIn("domain", seen.headers["set-cookie"].lower())
            wire.request("GET", "/hello")
            self.assertEqual(wire.answer().body, b"hello\n")

    def test_x_forwarded_for_counts_only_from_a_trusted_proxy(self):
        """From 127.0.0.1, trusted: its word on the client. From 127.0.0.2: nobody's word."""
        host = self.host("--trusted-proxy", "127.0.0.1")
        app = self.python(host)
        claim = {"X-Forwarded-For": "203.0.113.7, 198.51.100.9", "X-Forwarded-Proto": "https"}
        _, seen = self.names_seen(app, claim)
        self.assertEqual(seen["request"]["remote"], {"ip": "198.51.100.9", "scheme": "https"})
        names, seen = self.names_seen(app, claim, source="127.0.0.2")
        self.assertEqual(seen["request"]["remote"], {"ip": "127.0.0.2", "scheme": "http"})
        self.assertNotIn("x-forwarded-for", names)

    def test_a_trusted_proxy_says_who_signed_on_and_nobody_else_does(self):
        """With --identity-header a stranger gets 401 whatever they claim, the proxy's user becomes `identity`."""
        host = self.host("--trusted-proxy", "127.0.0.1", "--identity-header", "Remote-User")
        app = self.python(host, more='[permissions]\nidentity = ["id", "name", "groups"]')
        claim = {"Remote-User": "ana", "Remote-Name": "Ana", "Remote-Groups": "crew,officers"}
        names, seen = self.names_seen(app, claim)
        self.assertEqual(seen["request"]["identity"],
                         {"id": "ana", "name": "Ana", "groups": ["crew", "officers"]})
        self.assertEqual(seen["environ"]["REMOTE_USER"], "ana")
        self.assertNotIn("remote-user", names)
        for headers in (claim, {}):
            self.assertEqual(app.ask("GET", "/facts", headers=headers, source="127.0.0.2").status, 401)
        self.assertEqual(app.ask("GET", "/facts").status, 401)

    def test_an_answer_that_would_split_into_two_is_not_sent(self):
        """A guest's header with CR LF in it: 502, and none of it reaches the client."""
        app = self.raw(self.host(), "bad-header")
        with Wire(app) as wire:
            wire.request("GET", "/")
            seen = wire.answer()
            self.assertEqual(seen.status, 502)
            self.assertNotIn("set-cookie", seen.headers)
        self.assertEqual(app.get("/").body, b"fine")


class Assets(EndToEndTest):

    FILES = {
        "index.html": b"<!doctype html><title>Front</title>",
        "style.css": b"body{margin:0}" * 50,
        "style.css.gz": b"gzip form",
        "style.css.br": b"brotli form",
        "deep/page.html": b"<p>deep",
        "deep/index.html": b"<p>index of deep",
        "data.json": b"{}",
        ".hidden": b"secret",
        "big.bin": bytes(range(256)) * 4096,
    }

    def setUp(self):
        self.served = self.python(self.host(), assets=self.FILES)
        self.wakes = False

    def tearDown(self):
        if not self.wakes:
            self.assertEqual(self.served.status["state"], "stopped", "an asset never wakes the guest")

    def test_assets_have_type_validators_and_cache_rules(self):
        """Content-Type, Content-Length, ETag, Last-Modified, Cache-Control, nosniff; without waking the guest."""
        for path, kind in (("/", "text/html"), ("/style.css", "text/css"), ("/data.json", "application/json"),
                           ("/deep/page.html", "text/html"), ("/big.bin", "application/octet-stream")):
            seen = self.served.get(path)
            name = path[1:] or "index.html"
            self.assertEqual((seen.status, seen.body), (200, self.FILES[name]), path)
            self.assertTrue(seen.headers["content-type"].startswith(kind), seen.headers["content-type"])
            for header in ("etag", "last-modified", "cache-control"):
                self.assertTrue(seen.headers[header], (path, header))
            self.assertEqual(seen.headers["x-content-type-options"], "nosniff")

    def test_a_client_that_has_it_already_gets_304(self):
        """By ETag and by date; another ETag gets the whole."""
        first = self.served.get("/style.css", {"Accept-Encoding": "identity"})
        for headers in ({"If-None-Match": first.headers["etag"]}, {"If-None-Match": "*"},
                        {"If-Modified-Since": first.headers["last-modified"]}):
            seen = self.served.get("/style.css", {"Accept-Encoding": "identity", **headers})
            self.assertEqual((seen.status, seen.body), (304, b""), headers)
            self.assertEqual(seen.headers["etag"], first.headers["etag"])
        self.assertEqual(self.served.get("/style.css", {"If-None-Match": '"other"'}).status, 200)

    def test_ranges_are_parts_of_the_whole(self):
        """First bytes, last bytes, past the end, and a range of a file too large to be kept in memory."""
        whole = self.FILES["big.bin"]
        for spec, wanted in (("bytes=0-9", whole[:10]), ("bytes=-7", whole[-7:]),
                             ("bytes=1000000-", whole[1_000_000:]), ("bytes=5-5", whole[5:6])):
            seen = self.served.get("/big.bin", {"Range": spec})
            self.assertEqual((seen.status, seen.body), (206, wanted), spec)
            self.assertTrue(seen.headers["content-range"].endswith(f"/{len(whole)}"))
        seen = self.served.get("/big.bin", {"Range": "bytes=9999999-"})
        self.assertEqual((seen.status, seen.headers["content-range"]), (416, f"bytes */{len(whole)}"))
        etag = self.served.get("/big.bin").headers["etag"]
        self.assertEqual(self.served.get("/big.bin", {"Range": "bytes=0-0", "If-Range": etag}).status, 206)
        self.assertEqual(self.served.get("/big.bin", {"Range": "bytes=0-0", "If-Range": '"x"'}).status, 200)

    def test_precompressed_forms_go_to_those_who_accept_them(self):
        """br before gzip, each with its own ETag; identity for the others; Vary on all."""
        tags = set()
        for accept, encoding, body in (("br, gzip", "br", b"brotli form"), ("gzip", "gzip", b"gzip form"),
                                       ("br;q=0, gzip", "gzip", b"gzip form"), ("identity", None, None),
                                       ("", None, None)):
            seen = self.served.get("/style.css", {"Accept-Encoding": accept})
            self.assertEqual(seen.headers.get("content-encoding"), encoding, accept)
            self.assertEqual(seen.body, body or self.FILES["style.css"])
            self.assertTrue(seen.headers["content-type"].startswith("text/css"))
            self.assertIn("accept-encoding", seen.headers["vary"].lower())
            tags.add(seen.headers["etag"])
        self.assertEqual(len(tags), 3)

    def test_no_path_leads_out_of_the_assets(self):
        """Dots, encodings, NULs, backslashes: none shows what lies outside."""
        for path in ("/../bulkhead.toml", "/%2e%2e/bulkhead.toml", "/..%2fbulkhead.toml", "/deep/../../bulkhead.toml",
                     "/%2e%2e%2f%2e%2e%2fbulkhead.toml", "//../bulkhead.toml", "/..\\bulkhead.toml",
                     "/deep/%00/../../bulkhead.toml", "/..;/bulkhead.toml", "/.%2e/web.py"):
            with self.subTest(path), Wire(self.served) as wire:
                wire.request("GET", path, "Connection: close\n")
                while wire.more():
                    pass
                self.assertNotIn(b"manifest", wire.rest)
                self.assertNotIn(b"import bulkhead", wire.rest)
                self.assertFalse(wire.rest.startswith(b"HTTP/1.1 200"), wire.rest[:200])
        self.wakes = True  # Paths that name no asset are the app's to answer.

    def test_hidden_files_are_not_served(self):
        """A name that begins with a dot is the app's business, not the web's."""
        self.assertNotIn(b"secret", self.served.get("/.hidden").body)
        self.wakes = True

    def test_links_among_the_assets_are_not_followed(self):
        """A link that stays inside the package is installed and still not served; one that leads out is not
        installed."""
        host = self.served.host
        package = self.package("linked", ["python3", "web.py"], ["web.py"], assets={"a.txt": b"a"})
        os.symlink("../bulkhead.toml", package / "www/inside.txt")
        app = host.install(package)
        self.assertNotIn(b"manifest", app.get("/inside.txt").body)
        os.symlink("/etc/passwd", package / "www/outside.txt")
        refused = host.command("install", str(package), "--yes", status=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("outside.txt", refused.err)

    def test_assets_are_served_while_the_app_is_stopped(self):
        """The operator stopped the app: its page stays, its guest does not come up."""
        self.served.host.command("stop", self.served.name)
        self.assertEqual(self.served.get("/").status, 200)
        self.assertEqual(self.served.get("/hello").status, 503)
        self.assertEqual(self.served.status["state"], "disabled")
        self.wakes = True

    def test_only_get_and_head_are_answered_with_an_asset(self):
        """A POST to an asset's path is the app's to answer."""
        seen = self.served.ask("POST", "/", b"x")
        self.assertEqual(seen.body, b"hello\n")
        self.wakes = True


if __name__ == "__main__":
    unittest.main()
