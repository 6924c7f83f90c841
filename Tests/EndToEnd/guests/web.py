# SPDX-License-Identifier: Apache-2.0
"""A WSGI app that does what its path says. Files in /data, if it has one, are how a test talks to it past HTTP."""

import errno
import hashlib
import json
import os
import socket
import sys
import threading
import time
from urllib.parse import parse_qs

import bulkhead

lock = threading.Lock()
in_flight = 0
produced = 0
held = []


def say(text):
    print(text, flush=True)


def gate():
    """Waits until the test opens the gate from outside."""
    while not os.path.exists("/data/open"):
        time.sleep(0.01)


def plain(start, text, status="200 OK", headers=()):
    body = text if isinstance(text, bytes) else text.encode()
    start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]


def as_json(start, value):
    return plain(start, json.dumps(value))


def hello(environ, start):
    return plain(start, "hello\n")


def pid(environ, start):
    return as_json(start, {"pid": os.getpid(), "started": STARTED})


def facts(environ, start):
    """What reached the app of a request."""
    request = environ["bulkhead.request"].params
    shown = {key: value for key, value in environ.items() if isinstance(value, str)}
    return as_json(start, {"request": request, "environ": shown})


def upload(environ, start):
    digest, count = hashlib.sha256(), 0
    source = environ["wsgi.input"]
    while True:
        piece = source.read(1 << 18)
        if not piece:
            break
        digest.update(piece)
        count += len(piece)
    return as_json(start, {"bytes": count, "sha256": digest.hexdigest()})


def count(environ, start):
    """As upload, without the digest."""
    total, source = 0, environ["wsgi.input"]
    while True:
        piece = source.read(1 << 18)
        if not piece:
            return as_json(start, {"bytes": total})
        total += len(piece)


def echo(environ, start):
    start("200 OK", [("Content-Type", environ.get("CONTENT_TYPE", "application/octet-stream"))])
    source = environ["wsgi.input"]
    return iter(lambda: source.read1(1 << 16), b"")


def download(environ, start):
    global produced
    wanted = int(query(environ, "bytes"))
    piece = bytes(range(256)) * 256
    start("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(wanted))])

    def pieces():
        global produced
        produced = 0
        left = wanted
        try:
            while left:
                part = piece[:left]
                produced += len(part)
                left -= len(part)
                yield part
        except GeneratorExit:
            say(f"download closed after {produced}")
            raise

    return pieces()


def how_much(environ, start):
    return as_json(start, {"produced": produced})


def events(environ, start):
    """Two server-sent events; the second only when the gate opens."""
    start("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
    yield b"data: first\n\n"
    try:
        gate()
        yield b"data: second\n\n"
    except GeneratorExit:
        say("events closed")
        raise


def ticks(environ, start):
    """Events until nobody listens."""
    start("200 OK", [("Content-Type", "text/event-stream")])
    try:
        while True:
            yield b"data: tick\n\n"
            time.sleep(0.02)
    finally:
        say("ticks ended")


def wait(environ, start):
    global in_flight
    with lock:
        in_flight += 1
        say(f"in flight {in_flight}")
    gate()
    with lock:
        in_flight -= 1
    return plain(start, "through\n")


def slow(environ, start):
    say("slow began")
    time.sleep(float(query(environ, "seconds")))
    return plain(start, "done\n")


def crash(environ, start):
    say("crashing")
    os._exit(3)


def eat(environ, start):
    """Takes memory, page by page, until it may not."""
    say("eating")
    hoard = []
    while True:
        hoard.append(b"\xff" * (1 << 20))


def take(environ, start):
    """Takes 64 MiB and keeps them."""
    held.append(b"\xff" * (64 << 20))
    return plain(start, "taken\n")


def burn(environ, start):
    end = time.process_time() + float(query(environ, "seconds"))
    while time.process_time() < end:
        pass
    return as_json(start, {"cpu": time.process_time()})


def shout(environ, start):
    line = "x" * 1000
    for _ in range(int(query(environ, "lines"))):
        print(line)
    sys.stdout.flush()
    return plain(start, "said\n")


def hop_by_hop(environ, start):
    return plain(start, "hop\n", headers=[
        ("Connection", "X-Private"), ("X-Private", "1"), ("Keep-Alive", "timeout=9"),
        ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("X-Public", "2"),
        ("Set-Cookie", "a=1; Domain=localhost; Path=/")])


def notes(environ, start):
    db = bulkhead.sql.open("main")
    db.execute("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    if environ["REQUEST_METHOD"] == "POST":
        text = environ["wsgi.input"].read().decode()
        outcome = db.execute("INSERT INTO note (text) VALUES (?)", (text,))
        return as_json(start, {"id": outcome.last_insert_row_id})
    return as_json(start, [row["text"] for row in db.query("SELECT text FROM note ORDER BY id")])


def fill(environ, start):
    """Writes rows until the host says no, and tells what it said."""
    db = bulkhead.sql.open("main")
    try:
        db.execute("CREATE TABLE IF NOT EXISTS blob (data BLOB)")
        for _ in range(10_000):
            db.execute("INSERT INTO blob VALUES (zeroblob(262144))")
    except bulkhead.HostError as error:
        return as_json(start, {"code": error.code})
    return as_json(start, {"code": None})


def attempt(action):
    """What came of it: its result, or the name of the error."""
    try:
        return action()
    except OSError as error:
        return type(error).__name__ if error.errno is None else errno.errorcode[error.errno]


def sealed(environ, start):
    """What the app can see and reach from inside."""
    port = int(query(environ, "port"))
    return as_json(start, {
        "interfaces": attempt(lambda: [name for _, name in socket.if_nameindex()]),
        "host": attempt(lambda: socket.create_connection(("127.0.0.1", port), 2) and "connected"),
        "outside": attempt(lambda: socket.create_connection(("192.0.2.1", 80), 2) and "connected"),
        "files": [path for path in parse_qs(environ["QUERY_STRING"])["path"] if os.path.exists(path)],
        "descriptors": attempt(lambda: sorted(int(name) for name in os.listdir("/proc/self/fd"))),
        "processes": attempt(lambda: sorted(int(name) for name in os.listdir("/proc") if name.isdigit())),
        "write": {path: attempt(lambda path=path: open(path + "/x", "w") and "written")
                  for path in ("/app", "/usr", "/", "/proc", "/bulkhead")},
        "scratch": attempt(lambda: open("/tmp/x", "w") and "written"),
        "environment": sorted(os.environ),
        "capabilities": attempt(
            lambda: [line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")]),
        "uid": os.getuid(),
    })


def query(environ, name):
    return parse_qs(environ["QUERY_STRING"])[name][0]


STARTED = time.time()
ROUTES = {
    "/": hello, "/hello": hello, "/pid": pid, "/facts": facts, "/upload": upload, "/count": count,
    "/echo": echo, "/download": download, "/produced": how_much, "/events": events, "/ticks": ticks,
    "/wait": wait, "/slow": slow, "/crash": crash, "/eat": eat, "/take": take, "/burn": burn,
    "/shout": shout, "/hop": hop_by_hop, "/notes": notes, "/fill": fill,
    "/sealed": sealed,
}


def app(environ, start):
    route = ROUTES.get(environ["PATH_INFO"])
    if route is None:
        return plain(start, "nothing here\n", "404 Not Found")
    return route(environ, start)


bulkhead.serve(app)
