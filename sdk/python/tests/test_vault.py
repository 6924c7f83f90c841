# SPDX-License-Identifier: Apache-2.0
"""Secrets and keys, in threads and in coroutines."""

from guests import GuestTest


class Secrets(GuestTest):
    def test_values_in_versions(self):
        host = self.guest("""
            import bulkhead
            from bulkhead import HostError, secrets
            def app(environ, start):
                first = secrets.set("smtp/password", "pässword")
                second = secrets.set("smtp/password", b"\\0\\xff")
                out = [first.version, second.version, second.versions, second.set_at,
                       second.origin, repr(second), secrets.get("smtp/password"),
                       secrets.get_text("smtp/password", version=1),
                       [one.name for one in secrets.list()]]
                secrets.delete("smtp/password")
                try:
                    secrets.get("smtp/password")
                except HostError as error:
                    out += [error.code, secrets.list()]
                start("200 OK", [])
                return [repr(out).encode()]
            bulkhead.serve(app)
        """)
        self.assertEqual(eval(host.http().body()), [
            1, 2, [1, 2], 1_700_000_000, "app", "<Secret 'smtp/password' version 2>", b"\0\xff",
            "pässword", ["smtp/password"], "not_found.secret", []])
        # No value within the JSON: it is what gets printed.
        self.assertEqual(host.calls[0]["params"], {"name": "smtp/password"})

    def test_one_is_made_if_there_is_none(self):
        host = self.guest("""
            import bulkhead
            from bulkhead import secrets
            def app(environ, start):
                out = [secrets.get_or_create("a"), secrets.get_or_create("a", "bytes"),
                       secrets.get_or_create_text("b", "password", 20)]
                start("200 OK", [])
                return [repr(out).encode()]
            bulkhead.serve(app)
        """)
        self.assertEqual(eval(host.http().body()), [b"t" * 32, b"t" * 32, "p" * 20])
        self.assertEqual([call["params"]["generate"] for call in host.calls], [
            {"kind": "token"}, {"kind": "bytes"}, {"kind": "password", "length": 20}])

    def test_what_is_no_value_is_refused_here(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, keys, secrets
            for call in (lambda: secrets.set("a", 5), lambda: secrets.set("a", "\\udc80"),
                         lambda: secrets.set("a", b"x" * 2_000_000),
                         lambda: keys.sign("a", None), lambda: keys.sign("a", b"x" * 2_000_000),
                         lambda: keys.verify(b"k" * 32, b"", b"s" * 64, version=1)):
                try:
                    call()
                    print("passed")
                except HostError as error:
                    print(error.code)
            print(secrets.list())
        """), "'params.value'\n'params.text'\n'params.size'\n'params.value'\n'params.size'\n"
              "'params.value'\n[]\n")


class Keys(GuestTest):
    def test_sign_verify_and_rotate(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, keys
            first = keys.create("export")
            print(first.version, first.algorithm, first.can_sign, len(first.raw), first.pem[:26],
                  first.jwk["crv"], first.created_at, first)
            one = keys.sign("export", b"message")
            second = keys.rotate("export")
            two = keys.sign("export", "message")
            print(len(one), one != two, second.version, [key.can_sign for key in keys.list()])
            print(keys.verify("export", b"message", one), keys.verify("export", b"message", two),
                  keys.verify("export", b"message", two, version=1),
                  keys.verify("export", b"another", one))
            print(keys.verify(first, b"message", one), keys.verify(second.raw, b"message", one),
                  keys.public_key("export", 1).raw == first.raw,
                  keys.public_key("export").raw == second.raw)
            try:
                keys.create("export")
            except HostError as error:
                print(error.code)
            keys.delete("export")
            try:
                keys.verify("export", b"message", one)
            except HostError as error:
                print(error.code, keys.list())
        """), "1 'Ed25519' True 32 '-----BEGIN PUBLIC KEY-----' 'Ed25519' 1700000000 "
              "<PublicKey 'export' version 1>\n"
              "64 True 2 [False, True]\nTrue True False False\nTrue False True True\n"
              "'conflict.key'\n'not_found.key' []\n")

    def test_a_signature_of_another_length_is_none(self):
        # Otherwise its missing bytes would be taken from the message.
        host = self.guest("""
            import bulkhead
            from bulkhead import keys
            def app(environ, start):
                keys.create("a")
                signed = keys.sign("a", b"")
                cases = [(b"", signed), (signed[60:], signed[:60]), (b"", signed + b"x"),
                         (signed, b"")]
                start("200 OK", [])
                return [repr([keys.verify("a", *case) for case in cases]).encode()]
            bulkhead.serve(app)
        """)
        self.assertEqual(host.http().body(), b"[True, False, False, False]")
        self.assertEqual([call["method"] for call in host.calls],
                         ["keys.create", "keys.sign", "keys.verify"])

    def test_of_many_who_make_a_key_one_does(self):
        self.assertEqual(self.run_code("""
            import threading
            from bulkhead import keys
            seen = []
            def work():
                seen.append(keys.get_or_create("shared").raw)
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print(len(seen), len(set(seen)))
        """), "8 1\n")


class Coroutines(GuestTest):
    def test_the_same_with_await(self):
        host = self.guest("""
            import bulkhead
            from bulkhead import HostError, aio
            async def app(scope, receive, send):
                if scope["type"] != "http":
                    return
                await aio.secrets.set("a", "one")
                await aio.secrets.set("a", b"two")
                out = [await aio.secrets.get("a"), await aio.secrets.get_text("a", 1),
                       await aio.secrets.get_or_create("b", "bytes", 16),
                       await aio.secrets.get_or_create_text("c"),
                       [one.name for one in await aio.secrets.list()]]
                await aio.secrets.delete("a")
                first = await aio.keys.get_or_create("k")
                signature = await aio.keys.sign("k", b"m")
                await aio.keys.rotate("k")
                out += [await aio.keys.verify("k", b"m", signature),
                        await aio.keys.verify(first, b"n", signature),
                        await aio.keys.verify(first, b"m", b"short"),
                        (await aio.keys.get_or_create("k")).version,
                        (await aio.keys.public_key("k", 1)).raw == first.raw,
                        len(await aio.keys.list())]
                for call in (aio.keys.create("k"), aio.keys.public_key("no")):
                    try:
                        await call
                    except HostError as error:
                        out.append(error.code)
                await aio.keys.delete("k")
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": repr(out).encode()})
            bulkhead.serve_asgi(app)
        """)
        self.assertEqual(eval(host.http().body()), [
            b"two", "one", b"b" * 16, "t" * 32, ["a", "b", "c"], True, False, False, 2, True, 2,
            "conflict.key", "not_found.key"])
        self.assertEqual((list(host.vault.secrets), host.vault.keys), (["b", "c"], {}))
