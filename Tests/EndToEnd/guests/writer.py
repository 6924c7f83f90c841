# SPDX-License-Identifier: Apache-2.0
"""Writes rows as fast as it can and says so of each, once it is acknowledged: a line in the answer's body.

/single/DB/WRITER   one row a statement: (writer, n)
/batch/DB/WRITER    three rows with one n in a batch
/hand/DB/WRITER     the same three in a transaction by hand
"""

from itertools import count

import bulkhead


def single(db, writer, n):
    db.execute("INSERT INTO single VALUES (?, ?)", (writer, n))


def batch(db, writer, n):
    db.batch([("INSERT INTO three VALUES (?, ?, ?)", (writer, n, part)) for part in range(3)])


def hand(db, writer, n):
    with db.transaction() as tx:
        for part in range(3):
            tx.execute("INSERT INTO three VALUES (?, ?, ?)", (writer, n, part))


WAYS = {"single": single, "batch": batch, "hand": hand}


def app(environ, start):
    way, name, writer = environ["PATH_INFO"].strip("/").split("/")
    db = bulkhead.sql.open(name)
    start("200 OK", [("Content-Type", "text/plain")])
    for n in count():
        try:
            WAYS[way](db, int(writer), n)
        except bulkhead.HostError as error:
            yield f"error {error.code}\n".encode()
            return
        yield f"{n}\n".encode()


bulkhead.serve(app)
