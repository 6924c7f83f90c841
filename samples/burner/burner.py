# SPDX-License-Identifier: Apache-2.0
"""The amounts. Each is measured here by the process's own counters, never by the clock on the wall."""

from __future__ import annotations

import os
import threading
import time
from urllib.parse import parse_qsl

import bulkhead
from bulkhead.json import dumps

_MIB = 1 << 20
# Name of a parameter: its greatest value.
_MOST = {"seconds": 60.0, "count": 2000.0, "live": 10_000.0, "burn": 1_000.0, "bytes": 256.0 * _MIB,
         "rows": 100_000_000.0}
_SIDE_BY_SIDE = 16

_burning = threading.Lock()
_held: list[bytes] = []


class Refused(Exception):
    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def app(environ, start_response):
    status = "200 OK"
    try:
        value = _answer(environ)
    except Refused as refused:
        status, value = refused.status, {"detail": str(refused)}
    body = value if isinstance(value, bytes) else dumps(value).encode()
    kind = "application/octet-stream" if isinstance(value, bytes) else "application/json"
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))),
                            ("Cache-Control", "no-store")])
    return [body]


def _answer(environ):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    given = dict(parse_qsl(environ["QUERY_STRING"]))
    if (method, path) == ("GET", "/api/usage"):
        return bulkhead.usage.get()
    if (method, path) == ("GET", "/api/cost"):
        return bulkhead.usage.cost()
    if (method, path) == ("GET", "/api/download"):
        return bytes(int(_amount(given, "bytes")))
    work = {"/api/cpu": _cpu, "/api/children": _children, "/api/memory": _memory, "/api/disk": _disk,
            "/api/rows": _rows, "/api/query": _query, "/api/upload": _upload}.get(path)
    if work is None:
        raise Refused("404 Not Found", f"there is no {path}")
    if method != "POST":
        raise Refused("405 Method Not Allowed", f"{path} takes POST")
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.split("//")[-1] != environ["HTTP_HOST"]:
        raise Refused("403 Forbidden", "another site's page may not burn anything here")
    # One at a time: the process's counters do not tell two apart.
    with _burning:
        return work(given, environ)


def _amount(given: dict[str, str], name: str) -> float:
    try:
        value = float(given[name])
    except (KeyError, ValueError):
        raise Refused("400 Bad Request", f"{name} is a number") from None
    if not 0 <= value <= _MOST[name]:
        raise Refused("400 Bad Request", f"{name} is at most {_MOST[name]:g}")
    return value


def _spin(until: float) -> None:
    """Until the process has used so much; a part of it in the kernel."""
    while time.process_time() < until:
        sum(range(20_000))
        os.stat("/app")


def _cpu(given, environ):
    start = time.process_time()
    _spin(start + _amount(given, "seconds"))
    return {"seconds": time.process_time() - start}


def _children(given, environ):
    count, live, burn = (_amount(given, name) for name in ("count", "live", "burn"))
    start, used, running = time.process_time(), 0.0, 0
    for number in range(int(count) + _SIDE_BY_SIDE):
        if running == _SIDE_BY_SIDE or (number >= count and running):
            used += _reap()
            running -= 1
        if number < count:
            if os.fork() == 0:
                _child(live / 1000, burn / 1000)
            running += 1
    # Making them is this process's own work.
    return {"count": int(count), "seconds": used + time.process_time() - start}


def _child(live: float, burn: float) -> None:
    start = time.monotonic()
    _spin(burn)  # A new process has used nothing yet.
    time.sleep(max(0.0, live - (time.monotonic() - start)))
    os._exit(0)


def _reap() -> float:
    _, status, usage = os.wait4(-1, 0)
    if status != 0:
        raise Refused("500 Internal Server Error", f"a child ended with {status}")
    return usage.ru_utime + usage.ru_stime


def _memory(given, environ):
    amount = int(_amount(given, "bytes"))
    if amount == 0:
        _held.clear()
    elif amount + sum(map(len, _held)) > _MOST["bytes"]:
        raise Refused("400 Bad Request", "that would be too much in all")
    else:
        _held.append(b"\xff" * amount)
    return {"bytes": sum(map(len, _held))}


def _disk(given, environ):
    amount = int(_amount(given, "bytes"))
    path = f"/data/{time.time_ns()}"
    block = os.urandom(_MIB)
    with open(path, "wb") as file:
        for start in range(0, amount, _MIB):
            file.write(block[:amount - start])
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": os.stat(path).st_size}


def _rows(given, environ):
    amount = int(_amount(given, "bytes"))
    db = bulkhead.sql.open("main")
    db.execute("CREATE TABLE IF NOT EXISTS ballast (data BLOB NOT NULL)")
    for start in range(0, amount, _MIB):
        db.execute("INSERT INTO ballast VALUES (randomblob(?))", (min(_MIB, amount - start),))
    return {"bytes": amount}


def _query(given, environ):
    db = bulkhead.sql.open("main")
    rows = db.query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT count(*) AS n FROM n",
        (int(_amount(given, "rows")),))
    return {"rows": rows[0]["n"]}


def _upload(given, environ):
    count, source = 0, environ["wsgi.input"]
    while piece := source.read(1 << 18):
        count += len(piece)
    return {"bytes": count}
