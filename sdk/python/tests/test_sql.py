# SPDX-License-Identifier: Apache-2.0
import sys
import unittest

from fake_host import SDK
from guests import GuestTest


class Values(GuestTest):
    def test_every_kind_comes_back_as_it_went(self):
        self.assertEqual(self.run_code("""
            from bulkhead import sql
            db = sql.open("main")
            inf = float("inf")
            values = [None, 0, -1, 2**63 - 1, -2**63, 1.0, 1e300, -0.5, inf, -inf, "", "a\\0b",
                      "\\U0001f600 \\u2028 \\"{}\\\\", b"", b"\\0\\xff", "x" * 20000]
            for value in values:
                back = db.query("SELECT ?", (value,))[0][0]
                if back != value or type(back) is not type(value):
                    print("differs", value, back)
            print(db.query("SELECT ?", (float("nan"),))[0][0], db.query("SELECT ?", (True,))[0][0])
            print(bytes(db.query("SELECT ?", (bytearray(b"ab"),))[0][0]),
                  db.query("SELECT ?", (memoryview(b"cd"),))[0][0])
        """), "None 1\nb'ab' b'cd'\n")

    def test_rows_are_tuples_with_names(self):
        self.assertEqual(self.run_code("""
            from bulkhead import sql
            rows = sql.open("main").query("SELECT 1 AS a, 'x' AS b, 2 AS a")
            row = rows.one()
            print(rows.columns, row, row[1], row["b"], row["a"], row.as_dict(), row.get("c", 9))
            print(isinstance(row, tuple), list(rows.dicts()), row.keys(), row[0:2])
            try:
                row["zz"]
            except KeyError as error:
                print(error)
            print(sql.open("main").query("SELECT 1 WHERE 0").one())
        """), """('a', 'b', 'a') (1, 'x', 2) 'x' 'x' 1 {'a': 1, 'b': 'x'} 9
True [{'a': 1, 'b': 'x'}] ['a', 'b'] (1, 'x')
KeyError('zz')
None
""")

    def test_a_text_that_looks_like_a_tagged_value_is_a_text(self):
        self.assertEqual(self.run_code("""
            from bulkhead import sql
            print(sql.open().query("SELECT ?", ('{"blob":[0,1]}',))[0][0])
        """), "'{\"blob\":[0,1]}'\n")

    def test_named_parameters(self):
        self.assertEqual(self.run_code("""
            from bulkhead import sql
            print(sql.open().query("SELECT :a, :b", {"a": 1, "b": b"x"}))
        """), "[(1, b'x')]\n")

    def test_what_is_no_value_is_refused_here(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, sql
            for params in [(2**63,), (object(),), "text", ("\\ud800",), (1j,)]:
                try:
                    sql.open().query("SELECT ?", params)
                except HostError as error:
                    print(error.code)
            try:
                sql.open().query("x" * 300_000)
            except HostError as error:
                print(error.code)
        """), "'params.value'\n" * 3 + "'params.text'\n" + "'params.value'\n" + "'params.size'\n")


class Chunks(unittest.TestCase):
    # The same bytes are in the Node SDK's tests.
    GOLDEN = (
        "520000000200000006000000010100000000000000feffffffffffffff02000000000000f83f0000"
        "00000000d0bf03010000000200000061c3a904010000000100000000ff0005010307000000000000"
        "000100000078"
    )

    def setUp(self):
        sys.path.insert(0, str(SDK))
        self.addCleanup(sys.path.remove, str(SDK))

    def test_rows_as_bytes(self):
        from bulkhead._columns import Chunks, decode, encode

        rows = [(1, 1.5, "a", b"\0", None, 7), (-2, -0.25, "é", b"\xff", None, "x")]
        self.assertEqual(encode(rows).hex(), self.GOLDEN)
        self.assertEqual(decode(bytes.fromhex(self.GOLDEN)), rows)
        chunks, found = Chunks(), []
        for byte in bytes.fromhex(self.GOLDEN * 2):
            found += map(decode, chunks.feed(bytes([byte])))
        self.assertEqual(found, [rows, rows])


class Statements(GuestTest):
    CODE = """
        from bulkhead import HostError, sql
        db = sql.open("main")
        print(db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)"))
        outcome = db.execute("INSERT INTO t (a) VALUES (?)", (5,))
        print(outcome.changes, outcome.last_insert_row_id)
        print(db.batch(["INSERT INTO t (a) VALUES (6)", ("INSERT INTO t (a) VALUES (?)", (b"z",)),
                        "SELECT a FROM t"]))
        try:
            db.batch(["DELETE FROM t", "INSERT INTO t (id) VALUES (1), (1)"])
        except HostError as error:
            print(error.code, error.number, error.retryable, "extended" in error.data)
        print(db.query("SELECT count(*) FROM t"))
        rows = db.query("INSERT INTO t (a) VALUES (8) RETURNING id")
        print(rows, rows.changes, rows.last_insert_row_id)
    """
    EXPECTED = """(0, 0)
1 1
[(1, 2), (1, 3), [(5,), (6,), (b'z',)]]
'sql.error' -32010 False True
[(3,)]
[(4,)] 1 4
"""

    def test_on_the_short_way(self):
        self.assertEqual(self.run_code(self.CODE), self.EXPECTED)

    def test_on_the_first_socket(self):
        self.assertEqual(self.run_code(self.CODE, sql_fd=False), self.EXPECTED)

    def test_before_serving(self):
        for short in (True, False):
            host = self.guest("""
                import bulkhead
                from bulkhead import sql
                early = sql.open().query("SELECT 41 + 1")[0][0]
                def app(environ, start):
                    start("200 OK", [])
                    return [b"%d" % early]
                bulkhead.serve(app)
            """, sql_fd=short)
            self.assertEqual(host.http().body(), b"42")
            self.assertEqual(host.stop(), 0)

    def test_a_request_that_comes_before_serving_waits(self):
        host = self.guest("""
            import bulkhead
            bulkhead.config.get()
            import time
            while not bulkhead.connection()._waiting:
                time.sleep(0.001)
            def app(environ, start):
                start("200 OK", [])
                return [b"served"]
            bulkhead.serve(app)
        """, sql_fd=False)
        self.assertEqual(host.http().body(), b"served")

    def test_transactions(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, sql
            db = sql.open("main")
            db.execute("CREATE TABLE t (a)")
            with db.transaction() as tx:
                tx.execute("INSERT INTO t VALUES (1)")
                print(tx.query("SELECT a FROM t"))
            try:
                with db.transaction() as tx:
                    tx.execute("INSERT INTO t VALUES (2)")
                    raise KeyError("no")
            except KeyError:
                pass
            with db.transaction() as tx:
                tx.execute("INSERT INTO t VALUES (3)")
                tx.rollback()
                tx.rollback()
            print(db.query("SELECT a FROM t"))
            tx = db.transaction()
            tx.commit()
            try:
                tx.commit()
            except HostError as error:
                print(error.code)
        """), "[(1,)]\n[(1,)]\n'not_found.transaction'\n")

    def test_many_rows(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, sql
            db = sql.open("main")
            db.execute("CREATE TABLE t (a, b, c, d, e)")
            inf = float("inf")
            rows = [(n, n / 3, "t\\u00e9%d" % n, b"%d" % n, (None, n, 1.5, "x", b"y", inf)[n % 6])
                    for n in range(1000)]
            print(db.execute_many("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows))
            print([tuple(row) for row in db.query("SELECT * FROM t")] == rows)
            print(list(db.stream("SELECT * FROM t")) == rows)
            print(db.execute_many("INSERT INTO t (a) VALUES (?)", []))
            print(db.execute_many("INSERT INTO t (a) VALUES (?)", [(True,), (float("nan"),)]))
            print(db.query("SELECT a FROM t ORDER BY rowid DESC LIMIT 2"))
            for bad in ([(1,), (1, 2)], [(2**63,)], [(object(),)]):
                try:
                    db.execute_many("INSERT INTO t (a) VALUES (?)", bad)
                except HostError as error:
                    print(error.code)
        """), "(1000, 1000)\nTrue\nTrue\n(0, 0)\n(2, 1002)\n[(None,), (1,)]\n"
              + "'params.value'\n" * 3)

    def test_rows_beyond_one_frame_are_one_transaction(self):
        self.assertEqual(self.run_code("""
            from bulkhead import HostError, sql
            db = sql.open("main")
            db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
            rows = [(n, "x" * 1000) for n in range(3000)]
            print(db.execute_many("INSERT INTO t VALUES (?, ?)", rows).changes)
            try:
                db.execute_many("INSERT INTO t VALUES (?, ?)",
                                [(n, "x" * 1000) for n in range(5500, 2500, -1)])
            except HostError as error:
                print(error.code)
            print(db.query("SELECT count(*) FROM t"))
            with db.transaction() as tx:
                print(tx.execute_many("INSERT INTO t VALUES (?, ?)",
                                      [(n + 9000, "x" * 1000) for n in range(3000)]).changes)
            print(db.query("SELECT count(*) FROM t"))
        """), "3000\n'sql.error'\n[(3000,)]\n3000\n[(6000,)]\n")

    def test_a_long_result_comes_whole_and_a_stream_can_be_left(self):
        self.assertEqual(self.run_code("""
            from bulkhead import sql
            db = sql.open("main")
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
            rows = db.query(many + " SELECT i, 'row ' || i AS t FROM n")
            print(len(rows), rows[-1], rows.columns, rows[5]["t"])
            seen = 0
            for row in db.stream(many + " SELECT i FROM n"):
                seen += 1
                if seen == 10:
                    break
            print(seen, db.query("SELECT 1"), sum(row[0] for row in db.stream(many + " SELECT i FROM n")))
        """), "60000 (60000, 'row 60000') ('i', 't') 'row 6'\n10 [(1,)] 1800030000\n")


class Threads(GuestTest):
    def test_many_callers_share_the_socket(self):
        for short in (True, False):
            self.assertEqual(self.run_code("""
                import threading
                from bulkhead import sql
                db = sql.open("main")
                wrong = []
                def work(me):
                    for n in range(150):
                        a, b = db.query("SELECT ?, ?", (me, n))[0]
                        if (a, b) != (me, n):
                            wrong.append((a, b, me, n))
                threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                print(wrong)
            """, sql_fd=short), "[]\n")

    def test_queries_beside_a_stream(self):
        self.assertEqual(self.run_code("""
            import threading
            from bulkhead import sql
            db = sql.open("main")
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000)"
            sums = []
            def stream():
                sums.append(sum(row[0] for row in db.stream(many + " SELECT i FROM n")))
            def ask():
                for n in range(200):
                    assert db.query("SELECT ?", (n,))[0][0] == n
                sums.append(4050045000)
            threads = [threading.Thread(target=f) for f in (stream, ask, stream, ask)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print(sums)
        """), "[4050045000, 4050045000, 4050045000, 4050045000]\n")

    def test_the_first_socket_takes_over_when_the_second_ends(self):
        host = self.guest("""
            import bulkhead
            from bulkhead import sql
            def app(environ, start):
                try:
                    text = repr(sql.open().query("SELECT 1"))
                except bulkhead.HostError as error:
                    text = error.code
                start("200 OK", [])
                return [text.encode()]
            bulkhead.serve(app)
        """)
        self.assertEqual(host.http().body(), b"[(1,)]")
        import socket

        host.sql.shutdown(socket.SHUT_RDWR)
        first = host.http().body()
        self.assertIn(first, (b"[(1,)]", b"upstream.sql"))
        self.assertEqual(host.http().body(), b"[(1,)]")
        self.assertEqual([call["id"] for call in host.calls[-1:]], [host.calls[-1]["id"]])


class DatabaseAPI(GuestTest):
    def test_a_transaction_begins_with_the_first_write(self):
        self.assertEqual(self.run_code("""
            from bulkhead import dbapi, sql
            connection = sql.connect("main", autocommit=True)
            connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
            connection = sql.connect("main")
            cursor = connection.cursor()
            cursor.execute("INSERT INTO t (a) VALUES (?)", (1,))
            print(cursor.rowcount, cursor.lastrowid, connection.in_transaction)
            connection.rollback()
            cursor.execute("SELECT * FROM t")
            print(cursor.fetchall(), connection.in_transaction, cursor.description[1][0])
            cursor.executemany("INSERT INTO t (a) VALUES (?)", [(n,) for n in range(5)])
            print(cursor.rowcount)
            connection.commit()
            cursor.execute("SELECT a FROM t ORDER BY a")
            print(cursor.fetchone(), cursor.fetchmany(2), list(cursor), cursor.fetchone())
            try:
                with connection:
                    connection.execute("INSERT INTO t (id) VALUES (1)")
            except dbapi.DatabaseError as error:
                print(error.code, connection.in_transaction)
            cursor.execute("INSERT INTO t (a) VALUES (9) RETURNING a")
            print(cursor.fetchall(), cursor.rowcount)
            cursor.execute("WITH x AS (SELECT 1) DELETE FROM t")
            connection.close()
            try:
                cursor.fetchone()
            except dbapi.ProgrammingError as error:
                print(str(error))
            print(sql.open().query("SELECT count(*) FROM t"))
            print(dbapi.Date(2026, 1, 2), dbapi.Timestamp(2026, 1, 2, 3, 4, 5))
        """), """1 1 True
[] False 'a'
5
(0,) [(1,), (2,)] [(3,), (4,)] None
'sql.error' False
[(9,)] 1
'the connection is closed'
[(5,)]
'2026-01-02' '2026-01-02 03:04:05'
""")


if __name__ == "__main__":
    unittest.main()
