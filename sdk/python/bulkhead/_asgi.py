# SPDX-License-Identifier: Apache-2.0
"""ASGI 3 on the guest protocol: ``http`` and ``lifespan``."""

from __future__ import annotations

import asyncio
from sys import stderr

from . import _connection
from ._aio import AsyncConnection
from ._connection import Request
from ._errors import Disconnected
from ._wsgi import WHOLE_MAX, _path, _status, _text, failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable

    from ._aio import AsyncInputStream, AsyncOutputStream
    from ._connection import Connection

    Message = dict[str, Any]
    App = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
        Awaitable[None],
    ]

_FIRST = 65_536


def serve_asgi(app: App, connection: Connection | None = None) -> None:
    """Serves an ASGI 3 application until the host stops the guest.

    Runs an event loop of its own. If the app refuses to start in its lifespan, RuntimeError.
    """
    link = _connection.current() if connection is None else connection
    asyncio.run(_serve(app, link))


async def _serve(app: App, plain: Connection) -> None:
    state: dict[str, Any] = {}
    lifespan = Lifespan(app, state)
    await lifespan.startup()
    link = AsyncConnection.adopt(plain)
    try:
        await link.serve("http.request", lambda request: _Exchange(request, state).run(app))
    finally:
        await lifespan.shutdown()


class Lifespan:
    """Tells the app of its start and its end, if it listens."""

    def __init__(self, app: App, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Raises RuntimeError if the app says that it cannot start."""
        self._task = asyncio.ensure_future(self._run())
        answer = await self._exchange("lifespan.startup")
        if answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(f"the app cannot start: {answer.get('message', '')}")

    async def shutdown(self) -> None:
        await self._exchange("lifespan.shutdown")

    async def _exchange(self, kind: str) -> Message:
        if self._task is None or self._task.done():
            return {"type": "none"}
        self._asked.put_nowait({"type": kind})
        return await self._answers.get()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"},
                 "state": self._state}
        try:
            await self._app(scope, self._asked.get, self._answers.put)
        except Exception:
            pass  # An app without a lifespan raises; that is how it says so.
        finally:
            self._answers.put_nowait({"type": "none"})


class _Exchange:
    """One request and its response."""

    def __init__(self, request: Request, state: dict[str, Any]) -> None:
        self._request = request
        self._state = state
        self._result: dict[str, Any] | None = None
        self._output: AsyncOutputStream | None = None
        self._over = False
        self._left = asyncio.Event()
        self._read = False
        request.on_cancel = self._left.set
        if request.cancelled:
            self._left.set()

    async def run(self, app: App) -> None:
        try:
            await app(self._scope(), self._receive, self._send)
        except Disconnected:
            if self._request.answered:
                return
            raise
        except Exception:
            from traceback import print_exc

            print_exc()
            self._fail()
            return
        if not self._request.answered and not self._request.cancelled:
            print("the app returned without a response", file=stderr)
            self._fail()
        if self._output is not None and not self._over:
            self._output.close("the app returned before the end of the body")

    def _fail(self) -> None:
        if self._output is not None:
            self._output.close("the app failed")
        elif not self._request.answered:
            failed(self._request)

    def _scope(self) -> Message:
        params = self._request.params
        target: str = params["target"]
        path, _, query = target.partition("?")
        remote = params.get("remote") or {}
        headers = [
            (name.lower().encode(), value.encode()) for name, value in params["headers"]
        ]
        identity = params.get("identity")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": params["method"],
            "scheme": remote.get("scheme", "http"),
            "path": _path(path).encode("latin-1").decode(errors="replace"),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": (remote["ip"], 0) if remote.get("ip") else None,
            "server": _server(headers, remote.get("scheme", "http")),
            "state": self._state.copy(),
            "extensions": {"bulkhead": {"identity": identity, "request": self._request}},
        }

    async def _receive(self) -> Message:
        stream: AsyncInputStream | None = self._request.stream  # type: ignore[assignment]
        if not self._read:
            if stream is None:
                self._read = True
                return {"type": "http.request", "body": self._request.body, "more_body": False}
            try:
                piece = await stream.receive()
            except Disconnected:
                self._read = True
                return {"type": "http.disconnect"}
            self._read = not piece
            return {"type": "http.request", "body": piece, "more_body": bool(piece)}
        if not self._over:
            await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            if self._result is not None:
                raise RuntimeError("http.response.start was sent twice")
            self._result = {
                "status": _status("%03d" % message["status"]),
                "headers": [
                    (name.decode("latin-1"), _text(value.decode("latin-1")))
                    for name, value in message.get("headers", ())
                ],
            }
        elif kind == "http.response.body":
            await self._body(message.get("body", b""), bool(message.get("more_body")))
        else:
            raise RuntimeError(f"{kind} is not supported")

    async def _body(self, body: bytes, more: bool) -> None:
        if self._result is None or self._over:
            raise RuntimeError("http.response.body before its start, or after its end")
        try:
            if self._output is None:
                await self._begin(body, more)
            else:
                await self._output.send(body, not more)
        except Disconnected:
            # ASGI's way to say that the client has gone.
            self._over = True
            self._left.set()
            raise
        if not more:
            self._over = True
            self._left.set()

    async def _begin(self, body: bytes, more: bool) -> None:
        if not more and len(body) <= WHOLE_MAX:
            self._request.respond(self._result, body)
            return
        first = body[: min(_FIRST, self._request.connection.credit)]
        self._output = self._request.respond_stream(  # type: ignore[assignment]
            self._result, first
        )
        assert self._output is not None
        await self._output.send(memoryview(body)[len(first) :], not more)


def _server(headers: list[tuple[bytes, bytes]], scheme: str) -> tuple[str, int | None]:
    host = next((value.decode() for name, value in headers if name == b"host"), "localhost")
    name, _, port = host.rpartition(":")
    if port.isdigit() and name:
        return name, int(port)
    return host, 443 if scheme == "https" else 80
