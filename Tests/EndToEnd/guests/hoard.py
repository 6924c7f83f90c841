# SPDX-License-Identifier: Apache-2.0
"""Fills its data directory in the ways there are, and says what it was told."""

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
from urllib.parse import parse_qs

import bulkhead

held = []
PIECE = b"\xff" * (1 << 20)


def attempt(action):
    try:
        return action()
    except OSError as error:
        return errno.errorcode[error.errno]


def write(name, most):
    """Writes up to `most` MiB; how many it was, or the error."""
    with open(f"/data/{name}", "ab", buffering=0) as file:
        for _ in range(most):
            file.write(PIECE)
    return most


def hold(name, most):
    """The same into a file that no directory shows."""
    file = open(f"/data/{name}", "ab", buffering=0)
    held.append(file)
    os.unlink(f"/data/{name}")
    for _ in range(most):
        file.write(PIECE)
    return most


def hole(name, size):
    """A file of that many MiB without a block on disk, mapped."""
    with open(f"/data/{name}", "wb") as file:
        file.truncate(size << 20)
    file = os.open(f"/data/{name}", os.O_RDWR)
    held.append(mmap.mmap(file, size << 20))
    os.close(file)
    return size


def through(index, count):
    """Fills `count` MiB of a mapping: no write is seen."""
    mapping = held[index]
    for piece in range(count):
        mapping[piece << 20:(piece + 1) << 20] = PIECE
        mapping.flush(piece << 20, 1 << 20)
    return count


def names(count):
    os.makedirs("/data/many", exist_ok=True)
    for number in range(count):
        os.close(os.open(f"/data/many/{number}", os.O_CREAT | os.O_WRONLY, 0o600))
    return count


def reserve(size):
    """fallocate with FALLOC_FL_KEEP_SIZE, which takes blocks and heeds no limit of file sizes."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/data/reserved", "wb") as file:
        done = libc.fallocate(file.fileno(), 1, ctypes.c_long(0), ctypes.c_long(size << 20))
    if done < 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    return size


def hide(size):
    """A directory that can be written to by name and not listed."""
    os.mkdir("/data/hidden")
    os.chmod("/data/hidden", 0o300)
    return write("hidden/file", size)


def free():
    if os.path.exists("/data/hidden"):
        os.chmod("/data/hidden", 0o700)
    held.clear()
    for directory, _, files in os.walk("/data"):
        for name in files:
            os.unlink(os.path.join(directory, name))
    return "free"


def unbound():
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return hard


def app(environ, start):
    asked = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    name, count = asked.get("name", "file"), int(asked.get("count", "0"))
    does = {
        "/write": lambda: write(name, count), "/hold": lambda: hold(name, count),
        "/hole": lambda: hole(name, count), "/through": lambda: through(int(name), count),
        "/reserve": lambda: reserve(count), "/hide": lambda: hide(count), "/raise": unbound, "/names": lambda: names(count), "/free": free,
        "/read": lambda: sum(os.path.getsize(f"/data/{one}") for one in os.listdir("/data")),
    }
    body = json.dumps(attempt(does[environ["PATH_INFO"]])).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


# CPython ignores it by itself; said here for whoever reads this to learn how.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
bulkhead.serve(app)
