# SPDX-License-Identifier: Apache-2.0
"""Does with its databases, secrets and data directory what its path says; a host's refusal is answered as its code."""

import bulkhead
from bulkhead import secrets, sql

VALUES = [
    None, 2**63 - 1, -(2**63), 0.1, float("inf"), float("-inf"), 5e-324, "", "a\0b € \U0001f6a2", "é" * 20_000,
    b"", b"\x00\xff\x00", b"\x07" * 300_000,
]
ROWS = ("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) "
        "SELECT i AS n, 'row number ' || i AS text, i / 2.0 AS half, x'00ff' AS raw FROM n")

db = sql.open("main")


def values():
    db.execute("CREATE TABLE IF NOT EXISTS v (n INTEGER PRIMARY KEY, x)")
    db.execute("DELETE FROM v")
    for number, value in enumerate(VALUES):
        db.execute("INSERT INTO v VALUES (?, ?)", (number, value))
    if [row[0] for row in db.query("SELECT x FROM v ORDER BY n")] != VALUES:
        return "query gave other values"
    db.execute("DELETE FROM v")
    db.execute_many("INSERT INTO v VALUES (?, ?)", list(enumerate(VALUES)))
    return "ok" if [row[0] for row in db.stream("SELECT x FROM v ORDER BY n")] == VALUES else "stream gave other values"


def many():
    db.execute("CREATE TABLE IF NOT EXISTS m (n INTEGER, text TEXT, half REAL, raw BLOB)")
    return str(db.execute("INSERT INTO m " + ROWS).changes)


def stream():
    count = total = 0
    for row in db.stream("SELECT * FROM m"):
        count += 1
        total += row["n"]
    return f"{count} {total}"


def left():
    """A long result that is left after its first row, and what can be asked then."""
    for _ in range(20):
        for row in db.stream("SELECT * FROM m"):
            break
    return str(db.query("SELECT count(*) FROM m")[0][0])


def databases():
    made = sql.create("made")
    made.execute("CREATE TABLE t (a)")
    db.copy("copy")
    return " ".join(one["name"] for one in sql.databases())


def fewer():
    sql.open("made").delete()
    sql.open("copy").delete()
    return " ".join(one["name"] for one in sql.databases())


def full():
    """Databases until there may be no more."""
    for number in range(100):
        sql.create(f"more{number}")
    return "no end"


def write():
    db.execute("CREATE TABLE IF NOT EXISTS w (a)")
    db.execute("INSERT INTO w VALUES (zeroblob(1500000))")
    return "ok"


def read():
    return str(db.query("SELECT count(*) FROM w")[0][0])


def drop():
    return str(db.execute("DELETE FROM w").changes)


def keep():
    secrets.set("kept", "value")
    return "ok"


def kept():
    return secrets.get_text("kept")


def data():
    with open("/data/file", "wb") as file:
        file.write(b"x" * 3_000_000)
    return "ok"


def broken():
    """An error's codes and place."""
    try:
        db.query("SELECT 1, nothing")
    except bulkhead.HostError as error:
        return f"{error.code} {error.data.get('offset')}"
    return "no error"


def app(environ, start):
    try:
        text = globals()[environ["PATH_INFO"][1:]]()
    except bulkhead.HostError as error:
        text = error.code
    start("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


bulkhead.serve(app)
