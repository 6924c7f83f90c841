# SPDX-License-Identifier: Apache-2.0
"""A host for tests: starts a guest on a socket pair and talks to it as the real one does.

It keeps the contract itself (ids, credit, one answer each) and records every breach by the guest
in ``faults``, which a test's tearDown looks at.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
from pathlib import Path

from fake_vault import FakeVault, Refusal

SDK = Path(__file__).resolve().parent.parent
CREDIT = 262_144
WAIT = 30  # Seconds after which a test gives up; nothing is measured by it.


def pack(message: dict, body: bytes = b"") -> bytes:
    encoded = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return (4 + len(encoded) + len(body)).to_bytes(4, "big") + len(encoded).to_bytes(4, "big") \
        + encoded + body


def unpairs(pairs: list) -> dict:
    """An object, if no key is there twice: the real host ends a guest for that."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a duplicate key")
    return found


class Wire:
    """One end of a socket, frame by frame."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")
        self.lock = threading.Lock()

    def send(self, message: dict, body: bytes = b"") -> None:
        with self.lock:
            self.sock.sendall(pack(message, body))

    def read(self):
        start = self.file.read(8)
        if len(start) < 8:
            return None
        total, size = int.from_bytes(start[:4], "big"), int.from_bytes(start[4:], "big")
        if total > 1_048_576 or size > 262_144 or not 2 <= size <= total - 4:
            raise ValueError(f"frame.length {total} {size}")
        data = self.file.read(total - 4)
        message = json.loads(data[:size].decode(), object_pairs_hook=unpairs)
        return message, data[size:]


class Answer:
    """The outcome of a request: the message, and its body as it comes."""

    def __init__(self) -> None:
        self.message: dict = {}
        self.pieces: queue.Queue = queue.Queue()
        self.came = threading.Event()
        self.error = None

    @property
    def result(self):
        if not self.came.wait(WAIT):
            raise TimeoutError("no answer")
        if "result" not in self.message:
            raise AssertionError(self.message)
        return self.message["result"]

    @property
    def failure(self) -> dict:
        if not self.came.wait(WAIT):
            raise TimeoutError("no answer")
        return self.message["error"]

    @property
    def status(self) -> int:
        return self.result["status"]

    def header(self, name: str):
        for key, value in self.result["headers"]:
            if key.lower() == name:
                return value
        return None

    def piece(self) -> bytes:
        """The next piece of the body, empty at its end."""
        return self.pieces.get(timeout=WAIT)

    def body(self) -> bytes:
        parts = []
        while True:
            piece = self.piece()
            if not piece:
                return b"".join(parts)
            parts.append(piece)


class FakeHost:
    """Starts ``code`` (Python source) or ``command`` as a guest and serves it."""

    def __init__(self, code: str = "", command=None, sql_fd: bool = True, limits=None,
                 grant: bool = True, env=None, database: str = ":memory:") -> None:
        self.faults: list[str] = []
        self.logs: list[dict] = []
        self.calls: list[dict] = []
        self.grant = grant
        self.handlers = {}
        self.streams: dict[int, Answer] = {}
        self.left: dict[int, int] = {}
        self.answers: dict[int, Answer] = {}
        self.credit: dict[int, threading.Semaphore] = {}
        self.credits: dict[int, int] = {}
        self.stops: set[int] = set()
        self.condition = threading.Condition()
        self.limits = {"jsonBytes": 262_144, "frameBytes": 1_048_576, "toGuest": 16,
                       "toHost": 64, "streamCredit": CREDIT, **(limits or {})}
        self.database = FakeSQL(database)
        self.vault = FakeVault()
        self.next = 1
        self.stream = 0
        ours, theirs = socket.socketpair()
        fds = [theirs]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SDK),
                       "BULKHEAD_FD": str(theirs.fileno()), "BULKHEAD_APP_ID": "org.example.test",
                       "BULKHEAD_PROTOCOL": "1", "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        self.sql = None
        self.opened = 0
        if sql_fd:
            self.sql, sql_theirs = socket.socketpair()
            fds.append(sql_theirs)
            environment["BULKHEAD_SQL_FD"] = str(sql_theirs.fileno())
            threading.Thread(target=self._serve_sql, daemon=True).start()
        self.process = subprocess.Popen(
            command or [sys.executable, "-c", code], env=environment,
            pass_fds=[fd.fileno() for fd in fds], stderr=subprocess.PIPE)
        for fd in fds:
            fd.close()
        self.wire = Wire(ours)
        self.hello = self._ask(0, "initialize", {
            "protocol": [1], "host": {"name": "fake", "version": "0"},
            "app": {"id": "org.example.test", "name": "Test", "version": "1", "build": 1},
            "config": {"colour": "blue"}, "limits": self.limits, "grants": {"sqlite": ["main"]}})
        self.errors: list[bytes] = []
        threading.Thread(target=self._read_errors, daemon=True).start()
        threading.Thread(target=self._read, daemon=True).start()

    # What a test calls.

    def http(self, method="GET", target="/", headers=(), body=b"", identity=None,
             stream=None, **more) -> Answer:
        """Sends a request. ``stream`` is an iterable of pieces that follow ``body``."""
        params = {"method": method, "target": target, "headers": [list(h) for h in headers],
                  "remote": {"ip": "192.0.2.7", "scheme": "http"}, "identity": identity}
        return self.ask("http.request", params, body, stream, **more)

    def ask(self, method, params, body=b"", stream=None, **more) -> Answer:
        number, self.next = self.next, self.next + 1
        if stream is not None:
            name, self.stream = self.stream, self.stream + 1
            with self.condition:
                self.credits[name] = CREDIT - len(body)
            more["stream"] = name
        answer = self._ask(number, method, params, body, **more)
        answer.number = number
        if stream is not None:
            answer.upload = name
            threading.Thread(target=self._upload, args=(name, stream), daemon=True).start()
        return answer

    def notify(self, method, params, body=b"") -> None:
        self.wire.send({"jsonrpc": "2.0", "method": method, "params": params}, body)

    def stop(self) -> int:
        """Shuts the guest down; its exit code."""
        self._ask(self.next, "shutdown", {"reason": "stop", "graceMs": 5000})
        return self.process.wait(WAIT)

    def close(self) -> None:
        try:
            self.wire.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.faults.append("the guest outlived its socket")
        self.wire.file.close()
        self.wire.sock.close()
        if self.sql is not None:
            self.sql.close()

    def stderr(self) -> str:
        return b"".join(self.errors).decode()

    # The contract.

    def _ask(self, number, method, params, body=b"", **more) -> Answer:
        answer = self.answers[number] = Answer()
        self.wire.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params,
                        **more}, body)
        return answer

    def _upload(self, name: int, pieces, wire=None) -> None:
        try:
            self._send_pieces(name, pieces, wire or self.wire)
        except OSError:
            pass

    def _send_pieces(self, name: int, pieces, wire: Wire) -> None:
        for piece in pieces:
            while piece:
                with self.condition:
                    self.condition.wait_for(
                        lambda: self.credits[name] > 0 or name in self.stops, WAIT)
                    if name in self.stops:
                        break
                    count = min(len(piece), self.credits[name], 65_536)
                    self.credits[name] -= count
                wire.send({"jsonrpc": "2.0", "method": "$/data",
                           "params": {"stream": name, "end": False}}, piece[:count])
                piece = piece[count:]
            if name in self.stops:
                break
        wire.send({"jsonrpc": "2.0", "method": "$/data", "params": {"stream": name, "end": True}})

    def _read_errors(self) -> None:
        for line in self.process.stderr:
            self.errors.append(line)
        self.process.stderr.close()

    def _read(self) -> None:
        try:
            while True:
                taken = self.wire.read()
                if taken is None:
                    return
                self._took(*taken)
        except (ValueError, KeyError) as error:
            self.faults.append(repr(error))
        except OSError:
            pass

    def _took(self, message: dict, body: bytes) -> None:
        method = message.get("method")
        if method is None:
            self._answered(message, body)
        elif "id" in message:
            threading.Thread(target=self._serve, args=(self.wire, message, body),
                             daemon=True).start()
        else:
            self._notified(method, message["params"], body)

    def _answered(self, message: dict, body: bytes) -> None:
        answer = self.answers.pop(message["id"], None)
        if answer is None:
            self.faults.append(f"response.unknown_id {message['id']}")
            return
        answer.message = message
        if body:
            answer.pieces.put(body)
        if "stream" in message:
            name = message["stream"]
            if name in self.streams:
                self.faults.append("a stream number used twice")
            self.streams[name] = answer
            self.left[name] = CREDIT - len(body)
            answer.stream = name
            if self.left[name] < 0:
                self.faults.append("stream.credit")
            self.grant_credit(name, len(body))
        else:
            answer.pieces.put(b"")
        answer.came.set()

    def grant_credit(self, name: int, count: int) -> None:
        if self.grant and count:
            self.left[name] += count
            self.notify("$/credit", {"stream": name, "bytes": count})

    def _notified(self, method: str, params: dict, body: bytes) -> None:
        name = params.get("stream")
        if method == "$/data":
            answer = self.streams.get(name)
            if answer is None:
                self.faults.append(f"stream.unknown {name}")
                return
            self.left[name] -= len(body)
            if self.left[name] < 0:
                self.faults.append("stream.credit")
            if body:
                answer.pieces.put(body)
            if params["end"]:
                answer.error = params.get("error")
                del self.streams[name]
                answer.pieces.put(b"")
            else:
                self.grant_credit(name, len(body))
        elif method in ("$/credit", "$/stop"):
            with self.condition:
                if method == "$/credit":
                    self.credits[name] = self.credits.get(name, 0) + params["bytes"]
                else:
                    self.stops.add(name)
                self.condition.notify_all()

    # What the host answers.

    def _serve_sql(self, sock=None) -> None:
        wire = Wire(sock or self.sql)
        try:
            while True:
                taken = wire.read()
                if taken is None:
                    return
                if taken[0]["method"] == "sql.open":
                    self._serve_another(wire, taken[0])
                elif "id" in taken[0]:
                    self._serve(wire, *taken)
                else:
                    self._notified(taken[0]["method"], taken[0]["params"], taken[1])
        except (OSError, ValueError):
            return
        finally:
            if sock is not None:
                sock.close()

    def _serve_another(self, wire: Wire, message: dict) -> None:
        """``sql.open``: a further socket beside the answer, to two threads and no more."""
        self.calls.append(message)
        reply = {"jsonrpc": "2.0", "id": message["id"]}
        self.opened += 1
        if self.opened > 2:
            wire.send({**reply, "error": {"code": -32005, "message": "enough",
                                          "data": {"code": "overloaded.sql_sockets",
                                                   "retryable": True}}})
            return
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve_sql, args=(ours,), daemon=True).start()
        with wire.lock:
            socket.send_fds(wire.sock, [pack({**reply, "result": {}}, b"")], [theirs.fileno()])
        theirs.close()

    def _serve(self, wire: Wire, message: dict, body: bytes) -> None:
        method, params = message["method"], message["params"]
        self.calls.append(message)
        reply = {"jsonrpc": "2.0", "id": message["id"]}
        out = b""
        try:
            if method in self.handlers:
                reply["result"] = self.handlers[method](params)
            elif method.startswith("sql."):
                reply["result"], out = self.database.answer(method[4:], params, body)
            elif method.startswith(("secrets.", "keys.")):
                reply["result"], out = self.vault.answer(method, params, body)
            elif method == "config.get":
                reply["result"] = {"config": {"colour": "green"}}
            elif method == "usage.get":
                reply["result"] = {"cpu": 12}
            elif method == "usage.cost":
                reply["result"] = {"lines": [], "totals": [{"currency": "EUR", "micros": 7}]}
            elif method == "log.write":
                self.logs.append(params)
                reply["result"] = {}
            else:
                reply["error"] = {"code": -32601, "message": f"no method {method}",
                                  "data": {"code": "method.unknown", "retryable": False}}
        except Refusal as refusal:
            reply["error"] = refusal.error
        except sqlite3.Error as error:
            reply["error"] = {"code": -32010, "message": str(error), "data": {
                "code": "sql.error", "retryable": False,
                "extended": getattr(error, "sqlite_errorcode", 1), "offset": 0}}
        except TooLarge as error:
            reply["error"] = {"code": -32010, "message": str(error),
                              "data": {"code": "sql.too_large", "retryable": False}}
        except NotOpen as error:
            reply["error"] = {"code": -32002, "message": str(error),
                              "data": {"code": "not_found.transaction", "retryable": False}}
        try:
            self._reply(wire, reply, out)
        except OSError:
            pass

    def _reply(self, wire: Wire, reply: dict, out: bytes) -> None:
        if len(out) <= CREDIT:
            wire.send(reply, out)
            return
        name, self.stream = self.stream, self.stream + 1
        with self.condition:
            self.credits[name] = 0
        wire.send({**reply, "stream": name}, out[:CREDIT])
        threading.Thread(target=self._upload, args=(name, [out[CREDIT:]], wire),
                         daemon=True).start()


class FakeSQL:
    """The ``sql.*`` methods on the sqlite3 module, and ``columns/1`` written a second time."""

    def __init__(self, path: str) -> None:
        self.lock = threading.RLock()
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.open = 0

    def answer(self, name: str, params: dict, body: bytes):
        with self.lock:
            return getattr(self, name)(params, body)

    def query(self, params: dict, body: bytes, out=None):
        before = self.db.total_changes
        cursor = self.db.execute(params["sql"], self._in(params.get("params", []), body))
        columns = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall()
        if params.get("stream"):
            return {"columns": columns, "encoding": "columns/1"}, pack_rows(rows) if rows else b""
        out = [] if out is None else out
        exact = params.get("safeIntegers", False)
        result = {"columns": columns,
                  "rows": [[self._out(value, out, exact) for value in row] for row in rows]}
        if not params["sql"].lstrip().upper().startswith(("SELECT", "WITH", "VALUES")):
            result["changes"] = self.db.total_changes - before
            result["lastInsertRowId"] = cursor.lastrowid or 0
        if len(json.dumps(result)) > 262_144:
            raise TooLarge("the result does not fit one frame")
        return result, b"".join(out)

    def execute(self, params: dict, body: bytes):
        before = self.db.total_changes
        cursor = self.db.execute(params["sql"], self._in(params.get("params", []), body))
        return {"changes": self.db.total_changes - before,
                "lastInsertRowId": cursor.lastrowid or 0}, b""

    def batch(self, params: dict, body: bytes):
        nested = self.db.in_transaction
        self.db.execute("SAVEPOINT batch" if nested else "BEGIN")
        try:
            out: list[bytes] = []
            results = [self._entry(one, body, out) for one in params["statements"]]
        except sqlite3.Error:
            self.db.execute("ROLLBACK TO batch" if nested else "ROLLBACK")
            raise
        self.db.execute("RELEASE batch" if nested else "COMMIT")
        return {"results": results}, b"".join(out)

    def _entry(self, one: dict, body: bytes, out: list):
        if "rows" not in one:
            if one["sql"].lstrip().upper().startswith("SELECT") or "RETURNING" in one["sql"]:
                return self.query(one, body, out)[0]
            return self.execute(one, body)[0]
        start, length = one["rows"]["body"]
        changes, last = 0, 0
        for row in unpack_rows(body[start : start + length]):
            result = self.execute({"sql": one["sql"], "params": row}, b"")[0]
            changes, last = changes + result["changes"], result["lastInsertRowId"]
        return {"changes": changes, "lastInsertRowId": last}

    def begin(self, params: dict, body: bytes):
        self.db.execute("BEGIN")
        self.open += 1
        return {"transaction": self.open}, b""

    def commit(self, params: dict, body: bytes):
        self._known(params)
        self.db.execute("COMMIT")
        return {}, b""

    def rollback(self, params: dict, body: bytes):
        self._known(params)
        self.db.execute("ROLLBACK")
        return {}, b""

    def _known(self, params: dict) -> None:
        if params["transaction"] != self.open or not self.db.in_transaction:
            raise NotOpen("the transaction is not open")

    def _in(self, params, body: bytes):
        if isinstance(params, dict):
            return {key: self._value(value, body) for key, value in params.items()}
        return [self._value(value, body) for value in params]

    def _value(self, value, body: bytes):
        if not isinstance(value, dict):
            return value
        (tag, where), = value.items()
        if tag == "real":
            return float(where)
        if tag == "int":
            return int(where)
        data = body[where[0] : where[0] + where[1]]
        return data.decode() if tag == "text" else data

    def _out(self, value, out: list, exact: bool):
        if isinstance(value, bytes):
            start = sum(map(len, out))
            out.append(value)
            return {"blob": [start, len(value)]}
        if isinstance(value, str) and len(value) > 16_384:
            start = sum(map(len, out))
            out.append(value.encode())
            return {"text": [start, len(out[-1])]}
        if isinstance(value, float) and value in (float("inf"), float("-inf")):
            return {"real": "inf" if value > 0 else "-inf"}
        if exact and isinstance(value, int) and abs(value) > 2**53 - 1:
            return {"int": str(value)}
        return value


class TooLarge(Exception):
    pass


class NotOpen(Exception):
    pass


KINDS = [type(None), int, float, str, bytes]


def pack_rows(rows: list) -> bytes:
    columns = [pack_column(list(column)) for column in zip(*rows)]
    body = b"".join(columns)
    return struct.pack("<III", 8 + len(body), len(rows), len(rows[0])) + body


def pack_column(values: list) -> bytes:
    kinds = [KINDS.index(type(value)) for value in values]
    start = bytes([kinds[0]]) if len(set(kinds)) == 1 else bytes([5, *kinds])
    long = [value.encode() if isinstance(value, str) else value
            for value in values if isinstance(value, (str, bytes))]
    return start + b"".join(struct.pack("<q", v) for v in values if type(v) is int) \
        + b"".join(struct.pack("<d", v) for v in values if type(v) is float) \
        + b"".join(struct.pack("<I", len(v)) for v in long) + b"".join(long)


def unpack_rows(data: bytes) -> list:
    length, rows, columns = struct.unpack_from("<III", data)
    at = 12
    out = []
    for _ in range(columns):
        kind = data[at]
        at += 1
        kinds = [kind] * rows
        if kind == 5:
            kinds = list(data[at : at + rows])
            at += rows
        values = [None] * rows
        for wanted, form in ((1, "<q"), (2, "<d")):
            for row in range(rows):
                if kinds[row] == wanted:
                    values[row] = struct.unpack_from(form, data, at)[0]
                    at += 8
        long = [row for row in range(rows) if kinds[row] in (3, 4)]
        lengths = struct.unpack_from(f"<{len(long)}I", data, at)
        at += 4 * len(long)
        for row, size in zip(long, lengths):
            piece = data[at : at + size]
            values[row] = piece.decode() if kinds[row] == 3 else piece
            at += size
        out.append(values)
    if at != length + 4:
        raise ValueError("a chunk of another length than it says")
    return [list(row) for row in zip(*out)]
