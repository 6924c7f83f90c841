# SPDX-License-Identifier: Apache-2.0
"""The guest's end of the socket on an asyncio loop: the loop reads instead of a thread."""

from __future__ import annotations

import asyncio
import os
import sys

from . import _connection
from ._connection import Connection, Reply, Request, failure
from ._errors import Disconnected, HostError
from ._streams import InputStream, OutputStream
from ._wire import PIECE, READ, FrameError, checked, head
from .json import dumps, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable

    from ._wire import Bytes


class _Wake:
    """A Signal for a coroutine. Set from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def set(self) -> None:
        if asyncio._get_running_loop() is self._loop:
            self._event.set()
        else:
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()


class AsyncInputStream(InputStream):
    """A body that arrives in pieces, for a coroutine."""

    def __init__(self, connection: Connection, number: int, first: bytes, credit: int) -> None:
        super().__init__(connection, number, first, credit)
        self._signal: Any = _Wake(connection.loop)  # type: ignore[attr-defined]

    async def receive(self) -> bytes:
        """The next piece, empty at the end. Raises Disconnected if the sender gave up."""
        while True:
            piece = self.take()
            if piece is not None:
                return piece
            await self._signal.wait()


class AsyncOutputStream(OutputStream):
    """A body sent in pieces, by a coroutine."""

    def __init__(self, connection: Connection, number: int, credit: int) -> None:
        super().__init__(connection, number, credit)
        self._signal: Any = _Wake(connection.loop)  # type: ignore[attr-defined]

    async def send(self, data: Bytes, end: bool = False) -> None:
        """All of ``data``; waits for credit. Raises Disconnected once nobody wants it."""
        rest = memoryview(data)
        while rest:
            count = self._available(min(len(rest), PIECE))
            if not count:
                await self._signal.wait()
                continue
            self._send(rest[:count], end and count == len(rest))
            rest = rest[count:]
        if end and not self._closed:
            self.close()


class AsyncConnection(Connection):
    """A Connection whose handlers are coroutines, and whose ``ask`` is one."""

    _input_type = AsyncInputStream
    _output_type = AsyncOutputStream

    loop: asyncio.AbstractEventLoop
    _ended: _Wake

    @classmethod
    def adopt(cls, connection: Connection) -> AsyncConnection:
        """Takes over a connection, which may have been used already; call within the loop."""
        connection.__class__ = cls
        assert isinstance(connection, cls)
        connection.loop = asyncio.get_running_loop()
        connection._ended = _Wake(connection.loop)
        return connection

    async def serve(self, method: str, handler: Callable[[Request], Awaitable[None]]) -> None:
        """``handler(request)`` answers ``method``, until the host says stop or closes."""
        self._coroutine = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers[method] = self._threaded
        with self._state_lock:
            reading, self._running = self._running, True
            self._serving = True
            waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._begin(request)
        if reading:
            self._leaving = True  # A thread reads; it takes one more frame, and tells us.
        else:
            self.loop.add_reader(self.fd, self._readable)
        while not self.closed:
            await self._ended.wait()
        self.loop.remove_reader(self.fd)
        # The host is gone, or all is answered: nobody waits for what still runs.
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def ask(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        body: Bytes = b"",
        timeout: float | None = None,
    ) -> Reply:
        """``request`` for a coroutine."""
        meta = "" if timeout is None else ',"meta":{"deadlineMs":%d}' % max(1, timeout * 1000)
        text = '"method":%s,"params":%s%s}' % (quote(method), dumps(checked(params or {})), meta)
        wake = _Wake(self.loop)
        slot: list[Any] = [wake, None, b"", None, False]
        with self._state_lock:
            number = self._next_id
            self._next_id += 1
        encoded = head('{"jsonrpc":"2.0","id":%d,%s' % (number, text), len(body))
        self._calls[number] = slot
        if self.closed:
            self._calls.pop(number, None)
            raise self._gone()
        self.send_frame(encoded, body)
        try:
            await wake.wait()
        except asyncio.CancelledError:
            self.notify("$/cancel", {"id": number})
            raise
        if slot[1] is None:
            raise self._gone()
        if "error" in slot[1]:
            raise HostError.of(slot[1]["error"])
        return Reply(slot[1].get("result"), slot[2], slot[3], slot[4])

    def request_text(self, text: str, body: Bytes = b"") -> Reply:
        if asyncio._get_running_loop() is self.loop:
            raise RuntimeError(
                "this call would stop the event loop that has to answer it; "
                "use bulkhead.aio, or call it in a thread"
            )
        return super().request_text(text, body)

    def _readable(self) -> None:
        try:
            data = os.read(self.fd, READ)
            if not data:
                self._end()
            self._reader.push(data)
            self._pump()
        except (OSError, FrameError, ValueError) as error:
            self.fault = str(error)
            self._end()

    def _pump(self) -> None:
        while not self.closed:
            taken = self._reader.take()
            if taken is None:
                return
            request = self._dispatch(*taken)
            if request is not None:
                self._begin(request)

    def _begin(self, request: Request) -> None:
        task = self.loop.create_task(self._answer_async(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_async(self, request: Request) -> None:
        try:
            await self._coroutine(request)
            if request.cancelled and not request.answered:
                raise Disconnected("the client has gone")
            if not request.answered:
                raise RuntimeError("the app returned without a response")
        except Disconnected:
            self._fail(request, HostError("cancelled.request", "cancelled"))
        except HostError as error:
            self._fail(request, error)
        except asyncio.CancelledError:
            self._fail(request, HostError("cancelled.request", "cancelled"))
        except Exception as error:
            from traceback import print_exc

            print_exc()
            self._fail(request, failure(error))
        finally:
            self._done(request)

    def _threaded(self, request: Request) -> None:
        """What the thread that read until now reads last."""
        self.loop.call_soon_threadsafe(self._begin, request)

    def _answer(self, request: Request) -> None:
        self._threaded(request)

    def _left(self) -> None:
        self.loop.call_soon_threadsafe(self._take_over)

    def _take_over(self) -> None:
        self._pump()
        if not self.closed:
            self.loop.add_reader(self.fd, self._readable)

    def _end(self) -> None:
        super()._end()
        self._ended.set()


def current() -> AsyncConnection:
    """The connection of this process, for the running loop."""
    connection = _connection.current()
    if not isinstance(connection, AsyncConnection):
        raise RuntimeError("bulkhead.aio works within bulkhead.serve_asgi")
    return connection
