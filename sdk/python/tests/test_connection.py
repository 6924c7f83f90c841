# SPDX-License-Identifier: Apache-2.0
from guests import GuestTest


class Calls(GuestTest):
    def test_log_config_and_usage(self):
        host = self.guest("""
            import bulkhead
            from bulkhead import config, log, usage
            def app(environ, start):
                log.info("hello", count=3, names=["a"])
                log.write("error", "bad")
                start("200 OK", [])
                return [repr([config.get(), usage.get(), usage.cost()["totals"], bulkhead.connection().config,
                              bulkhead.connection().app["id"]]).encode()]
            bulkhead.serve(app)
        """)
        self.assertEqual(eval(host.http().body()), [
            {"colour": "green"}, {"cpu": 12}, [{"currency": "EUR", "micros": 7}], {"colour": "blue"},
            "org.example.test"])
        self.assertEqual(host.logs, [
            {"level": "info", "message": "hello", "fields": {"count": 3, "names": ["a"]}},
            {"level": "error", "message": "bad"}])

    def test_what_the_host_would_end_a_guest_for_is_refused_here(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, log, sql
            deep = []
            for _ in range(40):
                deep = [deep]
            tries = [lambda: log.info("x", a=deep), lambda: log.info("x", a=2**64),
                     lambda: log.info("\\udc80"), lambda: log.info("x", a=float("nan")),
                     lambda: log.info("x", a={1: 2}), lambda: log.info("x", a=object()),
                     lambda: log.info("x", a=[1] * 70000), lambda: log.info("x" * 300000),
                     lambda: sql.open().query("SELECT 1", [1] * 70000),
                     lambda: sql.open().batch([("SELECT ?", [1] * 30000)] * 3)]
            for attempt in tries:
                try:
                    attempt()
                    print("passed")
                except HostError as error:
                    print(error.code)
                except ValueError:
                    print("ValueError")
        """), "'params.value'\n'params.value'\n'params.text'\n'ValueError'\n'params.value'\n"
              "'params.value'\n'params.size'\n'params.size'\n'params.size'\n'params.size'\n")

    def test_an_error_of_the_host_is_a_host_error(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, connection
            try:
                connection().request("no.such", {"a": 1}, b"body", timeout=2)
            except HostError as error:
                print(error.code, error.number, error.retryable, str(error))
        """), "'method.unknown' -32601 False 'no method no.such (method.unknown)'\n")

    def test_a_deadline_travels(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                bulkhead.connection().request("config.get", timeout=1.5)
                bulkhead.sql.open().query("SELECT 1", timeout=0.25)
                start("200 OK", [])
                return []
            bulkhead.serve(app)
        """)
        host.http().body()
        self.assertEqual([call["meta"]["deadlineMs"] for call in host.calls], [1500, 250])

    def test_methods_of_ones_own(self):
        host = self.guest("""
            import bulkhead
            link = bulkhead.connection()
            def call(request):
                if request.params.get("fail"):
                    raise bulkhead.HostError("conflict.taken", "it is taken", True)
                return {"got": request.params, "deadline": request.meta.get("deadlineMs")}, request.body
            link.on_request("call", call)
            link.on_request("plain", lambda request: {"plain": True})
            link.on_request("nothing", lambda request: None)
            link.run()
        """)
        self.assertEqual(set(host.hello.result["handles"]), {"call", "plain", "nothing",
                                                             "http.request"})
        answer = host.ask("call", {"x": 1}, b"body", meta={"deadlineMs": 9})
        self.assertEqual(answer.result, {"got": {"x": 1}, "deadline": 9})
        self.assertEqual(answer.body(), b"body")
        self.assertEqual(host.ask("plain", {}).result, {"plain": True})
        self.assertEqual(host.ask("call", {"fail": True}).failure, {
            "code": -32003, "message": "it is taken",
            "data": {"code": "conflict.taken", "retryable": True}})
        self.assertEqual(host.ask("nothing", {}).failure["data"]["code"], "internal.app")
        self.assertEqual(host.stop(), 0)

    def test_a_small_credit_is_kept_to(self):
        host = self.guest("""
            import bulkhead
            def app(environ, start):
                start("200 OK", [])
                yield b"x" * 300000
            bulkhead.serve(app)
        """, limits={"streamCredit": 1000}, grant=False)
        answer = host.http()
        self.assertEqual(len(answer.piece()), 1000)
        self.assertTrue(answer.pieces.empty())

    def test_calls_from_many_threads_at_once(self):
        self.assertEqual(self.run_code("""
            import threading
            from bulkhead import config
            seen = []
            def work():
                for _ in range(50):
                    seen.append(config.get()["colour"])
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print(len(seen), set(seen))
        """), "400 {'green'}\n")
