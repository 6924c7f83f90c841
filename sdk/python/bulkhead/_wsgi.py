# SPDX-License-Identifier: Apache-2.0
"""WSGI (PEP 3333) on the guest protocol."""

from __future__ import annotations

import sys

from ._connection import Connection, Request, current
from ._errors import Disconnected, HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator

    from ._streams import OutputStream

    Environ = dict[str, Any]
    App = Callable[[Environ, Callable[..., Callable[[bytes], object]]], Iterable[bytes]]

WHOLE_MAX = 786_000
"""Bytes of body that go in the frame of the response; more is streamed."""


def serve(app: App, connection: Connection | None = None) -> None:
    """Serves a WSGI application until the host stops the guest.

    Requests run in threads, as many at once as the manifest's ``max_concurrency``.
    """
    link = current() if connection is None else connection
    link.on_request("http.request", lambda request: _handle(app, request))
    link.run()


def _handle(app: App, request: Request) -> None:
    response = _Response(request)
    try:
        chunks = app(environ(request), response.start)
        try:
            response.send(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
    except Disconnected:
        if not request.answered:
            raise
    except BaseException:
        from traceback import print_exc

        print_exc()
        response.fail()


class _Response:
    """What ``start_response`` was told, and how much of it has left."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._result: dict[str, Any] | None = None
        self._length = -1
        self._output: OutputStream | None = None
        self._written: list[bytes] = []

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info is not None:
            try:
                if self._request.answered:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._result is not None:
            raise AssertionError("start_response was called twice")
        self._length = -1
        out = []
        for name, value in headers:
            if not value.isascii():
                value = _text(value)
            out.append((name, value))
            if len(name) == 14 and name.lower() == "content-length":
                self._length = int(value)
        self._result = {"status": _status(status), "headers": out}
        return self._write

    def send(self, chunks: Iterable[bytes]) -> None:
        if self._output is not None:  # Begun by `write`.
            for chunk in chunks:
                self._piece(chunk)
            self._close()
        elif type(chunks) is list or type(chunks) is tuple:
            self._whole(self._written + list(chunks))
        else:
            self._pieces(iter(chunks))

    def _pieces(self, iterator: Iterator[bytes]) -> None:
        body = self._first(iterator)
        if self._length == len(body):
            self._whole([body])
            return
        self._begin(body)
        for chunk in iterator:
            self._piece(chunk)
        self._close()

    def fail(self) -> None:
        """The app raised: the client is told as far as it still can be."""
        if self._output is not None:
            self._output.close("the app failed")
        elif not self._request.answered:
            failed(self._request)

    def _started(self) -> dict[str, Any]:
        if self._result is None:
            raise AssertionError("the app returned without calling start_response")
        return self._result

    def _first(self, iterator: Iterator[bytes]) -> bytes:
        """What to send at once: all that was written, or the first piece that is not empty."""
        for chunk in iterator:
            if chunk or self._written:
                self._written.append(chunk)
                break
        return b"".join(self._written)

    def _whole(self, pieces: list[bytes]) -> None:
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        result = self._started()
        if len(body) <= WHOLE_MAX:
            self._request.respond(result, body)
        else:
            self._begin(body)
            self._close()

    def _begin(self, body: bytes) -> None:
        first = body[: min(65_536, self._request.connection.credit)]
        self._output = self._request.respond_stream(self._started(), first)
        if len(body) > len(first):
            self._output.write(memoryview(body)[len(first) :])

    def _write(self, chunk: bytes) -> None:
        """The old imperative way out."""
        if self._output is not None:
            self._piece(chunk)
            return
        self._written.append(chunk)
        if sum(map(len, self._written)) > 65_536:
            self._begin(b"".join(self._written))
            self._written = []

    def _piece(self, chunk: bytes) -> None:
        if chunk and self._output is not None:
            self._output.write(chunk)

    def _close(self) -> None:
        if self._output is not None:
            self._output.close()


def failed(request: Request) -> None:
    """Answers that the app failed."""
    headers = [("content-type", "text/plain; charset=utf-8")]
    request.respond({"status": 500, "headers": headers}, b"Internal Server Error\n")


def environ(request: Request) -> Environ:
    """The WSGI environment of an ``http.request``."""
    params = request.params
    target: str = params["target"]
    path, _, query = target.partition("?")
    remote = params.get("remote") or {}
    environ: Environ = {
        "REQUEST_METHOD": params["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": _path(path),
        "QUERY_STRING": query if query.isascii() else _bytes_text(query),
        "REQUEST_URI": target,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "bulkhead",
        "REMOTE_ADDR": remote.get("ip", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": remote.get("scheme", "http"),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    identity = params.get("identity")
    environ["bulkhead.identity"] = identity
    environ["bulkhead.request"] = request
    if identity:
        environ["REMOTE_USER"] = identity["id"]
    _headers(environ, params["headers"])
    host, _, port = environ.get("HTTP_HOST", "localhost").rpartition(":")
    if not port.isdigit():
        host, port = environ.get("HTTP_HOST", "localhost"), ""
    environ["SERVER_NAME"] = host
    environ["SERVER_PORT"] = port or ("443" if environ["wsgi.url_scheme"] == "https" else "80")
    if request.stream is None:
        if request.body:
            environ["CONTENT_LENGTH"] = "%d" % len(request.body)
        from _io import BytesIO

        environ["wsgi.input"] = BytesIO(request.body)
    else:
        from ._input import Input

        environ["wsgi.input"] = Input(request.stream)
    return environ


def _headers(environ: Environ, headers: list[list[str]]) -> None:
    for name, value in headers:
        if "_" in name:
            continue  # X_User would pass for X-User in the environment.
        key = name.upper().replace("-", "_")
        if key != "CONTENT_TYPE" and key != "CONTENT_LENGTH":
            key = "HTTP_" + key
        if not value.isascii():
            value = _bytes_text(value)
        if key in environ:
            value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ[key] = value


def _status(status: str) -> int:
    number = int(status[:3])
    if not 200 <= number <= 599:
        raise ValueError(f"the status {status!r} is not between 200 and 599")
    return number


def _path(path: str) -> str:
    if not path.startswith("/"):
        # `*`, or the absolute form, which some clients send.
        path = "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path
    if "%" not in path:
        return path if path.isascii() else _bytes_text(path)
    parts = path.encode().split(b"%")
    out = [parts[0]]
    for part in parts[1:]:
        try:
            out.append(bytes.fromhex(part[:2].decode()) if len(part) >= 2 else b"%" + part)
            out.append(part[2:])
        except ValueError:
            out.append(b"%" + part)
    return b"".join(out).decode("latin-1")


def _bytes_text(text: str) -> str:
    """WSGI's idea of text: one character a byte."""
    return text.encode().decode("latin-1")


def _text(value: str) -> str:
    data = value.encode("latin-1")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return value


class FileWrapper:
    """``wsgi.file_wrapper``: a file in pieces."""

    def __init__(self, file: Any, size: int = 65_536) -> None:
        self._file = file
        self._size = size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        data: bytes = self._file.read(self._size)
        if not data:
            raise StopIteration
        return data
