# SPDX-License-Identifier: Apache-2.0
"""The guest's end of the socket, with threads.

Whichever thread is free reads (leader and followers): the thread that takes a request off the
socket answers it, after another has taken its place. So a request costs no hop from thread to
thread, and one thread always reads while others are busy in the app.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread

from ._errors import Disconnected, HostError
from .json import dumps, quote
from ._streams import InputStream, OutputStream, Signal
from ._wire import FrameError, FrameReader, agree, checked, head, write_all, write_two

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Optional, Union

    from ._wire import Bytes

    Handler = Callable[["Request"], Any]

VERSION = "0.1.0"


class Reply:
    """What the host answered: ``result``, and ``body`` or, if it is long, ``stream``."""

    __slots__ = ("body", "flat", "result", "stream")

    def __init__(self, result: Any, body: bytes, stream: InputStream | None, flat: bool) -> None:
        self.result = result
        self.body = body
        self.stream = stream
        self.flat = flat  # No object within the result.


class Request:
    """Something the host asks. Answered exactly once."""

    __slots__ = ("answered", "body", "cancelled", "connection", "id", "meta", "method",
                 "on_cancel", "params", "stream")

    def __init__(self, connection: Connection, message: dict[str, Any], body: bytes) -> None:
        self.connection = connection
        self.id: int | str = message["id"]
        self.method: str = message["method"]
        self.params: dict[str, Any] = message.get("params") or {}
        self.meta: dict[str, Any] = message.get("meta") or {}
        self.body = body
        self.stream: InputStream | None = None
        self.cancelled = False
        self.answered = False
        #: Called by the reading thread when nobody wants the answer any more.
        self.on_cancel: Callable[[], None] | None = None

    def respond(self, result: Any, body: Bytes = b"") -> None:
        """The answer, with a body that fits its frame."""
        self._send(dumps(result), "", body)

    def respond_stream(self, result: Any, first: Bytes = b"") -> OutputStream:
        """The answer, with a body that follows. ``first`` must be within the first credit."""
        if self.cancelled:
            self.fail(HostError("cancelled.request", "cancelled"))
            raise Disconnected("the request was cancelled")
        output = self.connection.open_output(len(first))
        self._send(dumps(result), ',"stream":%d' % output._number, first)
        return output

    def fail(self, error: HostError) -> None:
        """The answer is an error."""
        self._answered()
        self.connection.send_text(
            '{"jsonrpc":"2.0","id":%s,"error":%s}' % (_identifier(self.id), dumps(error.wire()))
        )

    def _send(self, result: str, stream: str, body: Bytes) -> None:
        text = '{"jsonrpc":"2.0","id":%s,"result":%s%s}' % (_identifier(self.id), result, stream)
        encoded = head(text, len(body))
        self._answered()
        self.connection.send_frame(encoded, body)

    def _answered(self) -> None:
        if self.answered:
            raise RuntimeError("this request was answered before")
        self.answered = True


class Connection:
    """One connected descriptor of the guest protocol.

    ``on_request`` names who answers what; ``run`` serves until the host says stop. ``request``
    may be called from any thread, before ``run`` too; then ``handles`` tells the host which
    methods will be answered later, and what it asks meanwhile waits for ``run``.
    """

    _input_type = InputStream
    _output_type = OutputStream

    def __init__(self, fd: int, handles: Iterable[str] = ()) -> None:
        os.set_blocking(fd, True)
        os.set_inheritable(fd, False)
        self.fd = fd
        self.app: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.grants: dict[str, Any] = {}
        self.limits: dict[str, Any] = {}
        self.credit = 262_144  # What a stream starts with.
        self.closed = False
        self.stopping = False
        self.fault: str | None = None
        self._reader = FrameReader(fd)
        self._read_lock = allocate_lock()
        self._write_lock = allocate_lock()
        self._state_lock = allocate_lock()
        self._handlers: dict[str, Handler] = {}
        self._handles = tuple(handles)
        self._ready = False
        self._running = False
        self._serving = False
        self._waiting: list[Request] = []
        self._active: dict[Any, Request] = {}
        self._calls: dict[Any, list[Any]] = {}
        self._inputs: dict[Any, InputStream] = {}
        self._outputs: dict[Any, OutputStream] = {}
        self._next_id = 0
        self._next_stream = 0
        self._idle = 0
        self._threads = 0
        self._leaving = False  # The reading thread is to stop: something else will read.
        self._backlog: list[Request] = []
        self._started = Signal()

    # What an app calls.

    def on_request(self, method: str, handler: Handler) -> None:
        """``handler(request)`` answers ``method``.

        It returns the result, or ``(result, body)``, or None if it has answered through the
        request itself. HostError becomes that error, anything else an internal one.
        A method that ``handles`` does not list must be named before the connection is first used.
        """
        self._handlers[method] = handler

    def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        body: Bytes = b"",
        timeout: float | None = None,
    ) -> Reply:
        """Asks the host and waits for the answer. Raises HostError if it says no.

        ``timeout`` in seconds travels as the deadline; the host keeps it.
        """
        meta = "" if timeout is None else ',"meta":{"deadlineMs":%d}' % max(1, timeout * 1000)
        text = '"method":%s,"params":%s%s}' % (quote(method), dumps(checked(params or {})), meta)
        return self.request_text(text, body)

    def request_text(self, text: str, body: Bytes = b"") -> Reply:
        """``request`` with everything after the id already written."""
        self._prepare()
        slot: list[Any] = [Signal(), None, b"", None, False]
        with self._state_lock:
            number = self._next_id
            self._next_id += 1
        encoded = head('{"jsonrpc":"2.0","id":%d,%s' % (number, text), len(body))
        self._calls[number] = slot
        if self.closed:
            self._calls.pop(number, None)
            raise self._gone()
        self.send_frame(encoded, body)
        slot[0].wait()
        message = slot[1]
        if message is None:
            raise self._gone()
        if "error" in message:
            raise HostError.of(message["error"])
        return Reply(message.get("result"), slot[2], slot[3], slot[4])

    def notify(
        self, method: str, params: dict[str, Any] | None = None, body: Bytes = b""
    ) -> None:
        """Tells the host something that has no answer."""
        self._prepare()
        text = '{"jsonrpc":"2.0","method":%s,"params":%s}' % (
            quote(method),
            dumps(checked(params or {})),
        )
        self.send_frame(head(text, len(body)), body)

    def run(self) -> None:
        """Serves until the host says stop or closes; requests under way are finished first."""
        with self._state_lock:
            self._running = self._serving = True
            waiting, self._waiting = self._waiting, []
        for request in waiting:
            start_new_thread(self._answer, (request,))
        self._work()

    # Sending.

    def send_text(self, text: str) -> None:
        encoded = head(text)
        with self._write_lock:
            self._write(encoded)

    def send_frame(self, encoded: bytes, body: Bytes) -> None:
        with self._write_lock:
            if len(body) > 4096:
                self._write(encoded, body)
            else:
                self._write(b"".join((encoded, body)) if body else encoded)

    def _write(self, first: bytes, second: Bytes | None = None) -> None:
        try:
            if second is None:
                write_all(self.fd, first)
            else:
                write_two(self.fd, first, second)
        except OSError as error:
            raise Disconnected(f"the host is gone: {error.strerror}") from None

    # Bodies.

    def open_output(self, sent: int) -> OutputStream:
        with self._state_lock:
            number = self._next_stream
            self._next_stream += 1
        output = self._output_type(self, number, self.credit - sent)
        self._outputs[number] = output
        return output

    def forget_output(self, number: int) -> None:
        self._outputs.pop(number, None)

    # The loop.

    def _prepare(self) -> None:
        """Before ``run``, a call needs somebody who reads."""
        if self._running:
            return
        with self._state_lock:
            first, self._running = not self._running, True
        if first:
            start_new_thread(self._work, ())
        if not self._ready and not self.closed:
            self._started.wait()
            self._started.set()

    def _work(self) -> None:
        with self._state_lock:
            self._threads += 1
        while True:
            request = self._lead()
            if request is None:
                return
            self._answer(request)

    def _lead(self) -> Request | None:
        """Waits for the turn to read, and reads until there is a request to answer."""
        state = self._state_lock
        with state:
            if self._backlog:
                return self._backlog.pop(0)
            self._idle += 1
        with self._read_lock:
            with state:
                self._idle -= 1
            while not self.closed:
                request = self._next_request()
                if request is None or self._has_follower():
                    return request
                # No thread to be had: this one reads on, and a busy one answers when it is free.
                with state:
                    if self._idle > 0:
                        return request
                    self._backlog.append(request)
        return None

    def _has_follower(self) -> bool:
        """Whether another thread reads on while this one is in the app."""
        with self._state_lock:
            if self._idle > 0:
                return True
            alone = self._threads == 1
        try:
            start_new_thread(self._work, ())
        except RuntimeError:
            return alone
        return True

    def _next_request(self) -> Request | None:
        """Reads until there is something for a handler. None: the connection has ended."""
        while not self._leaving:
            try:
                taken = self._reader.read()
                request = None if taken is None else self._dispatch(*taken)
            except (OSError, FrameError, ValueError) as error:
                self.fault, taken, request = str(error), None, None
            if taken is None:
                self._end()
                return None
            if request is not None:
                return request
        self._left()
        return None

    def _left(self) -> None:
        """The thread that read has stopped, as it was told."""

    def _dispatch(self, message: dict[str, Any], body: bytes, flat: bool) -> Request | None:
        """Does what a frame says, or gives the request that is left to a handler."""
        method = message.get("method")
        if method is None:
            self._complete(message, body, flat)
        elif "id" not in message:
            self._notified(method, message.get("params") or {}, body)
        else:
            return self._asked(message, body)
        return None

    def _asked(self, message: dict[str, Any], body: bytes) -> Request | None:
        request = Request(self, message, body)
        if "stream" in message:
            request.stream = self._input_type(self, message["stream"], body, self.credit)
            request.body = b""
            self._inputs[message["stream"]] = request.stream
        method = request.method
        if method in self._handlers or method in self._handles:
            self._active[request.id] = request
            with self._state_lock:
                if self._serving:
                    return request
                self._waiting.append(request)
                return None
        if method == "ping":
            request.respond({})
        elif method == "initialize":
            self._initialize(request)
        elif method == "shutdown":
            self._shutdown(request)
        else:
            request.fail(HostError("method.unknown", f"this guest does not answer {method}"))
        return None

    def _initialize(self, request: Request) -> None:
        params = request.params
        self.app = params.get("app") or {}
        self.config = params.get("config") or {}
        self.grants = params.get("grants") or {}
        self.limits = params.get("limits") or {}
        self.credit = self.limits.get("streamCredit", self.credit)
        agree(self.limits)
        if 1 not in params.get("protocol", ()):
            request.fail(HostError("unsupported.protocol", "this guest speaks protocol 1"))
            return
        request.respond(
            {
                "protocol": 1,
                "sdk": "python/" + VERSION,
                "handles": list(dict.fromkeys((*self._handlers, *self._handles))),
            }
        )
        self._ready = True
        self._started.set()

    def _shutdown(self, request: Request) -> None:
        # In this order: whoever finishes once `stopping` is set may end the socket.
        request.respond({})
        with self._state_lock:
            self.stopping = True
        self._finish_if_idle()

    def _finish_if_idle(self) -> None:
        with self._state_lock:
            if not self.stopping or self._active or self.closed:
                return
        from _socket import SHUT_RDWR, socket

        # Wakes the thread that reads, whichever it is.
        handle = socket(fileno=self.fd)
        try:
            handle.shutdown(SHUT_RDWR)
        except OSError:
            pass
        handle.detach()

    def _answer(self, request: Request) -> None:
        try:
            outcome = self._handlers[request.method](request)
            if outcome is not None:
                result, body = outcome if type(outcome) is tuple else (outcome, b"")
                request.respond(result, body)
            elif not request.answered:
                raise RuntimeError(f"the handler of {request.method} returned nothing")
        except Disconnected:
            if not request.answered:
                self._fail(request, HostError("cancelled.request", "cancelled"))
        except HostError as error:
            self._fail(request, error)
        except BaseException as error:
            from traceback import print_exc

            print_exc()
            self._fail(request, failure(error))
        finally:
            self._done(request)

    def _done(self, request: Request) -> None:
        if request.stream is not None:
            request.stream.leave()
        with self._state_lock:
            self._active.pop(request.id, None)
        if self.stopping:
            self._finish_if_idle()

    def _fail(self, request: Request, error: HostError) -> None:
        if request.answered:
            return
        try:
            request.fail(error)
        except OSError:
            pass  # The host is gone; the reading thread notices.

    def _complete(self, message: dict[str, Any], body: bytes, flat: bool) -> None:
        slot = self._calls.pop(message.get("id"), None)
        if slot is None:
            return
        if "stream" in message:
            number = message["stream"]
            slot[3] = self._inputs[number] = self._input_type(self, number, body, self.credit)
            body = b""
        slot[1], slot[2], slot[4] = message, body, flat
        slot[0].set()

    def _notified(self, method: str, params: dict[str, Any], body: bytes) -> None:
        if method == "$/data":
            number, end = params.get("stream"), bool(params.get("end"))
            stream = self._inputs.pop(number, None) if end else self._inputs.get(number)
            if stream is not None:
                stream.feed(body, end, params.get("error"))
        elif method == "$/credit":
            output = self._outputs.get(params.get("stream"))
            if output is not None:
                output.grant(params.get("bytes", 0))
        elif method == "$/stop":
            output = self._outputs.get(params.get("stream"))
            if output is not None:
                output.stop()
        elif method == "$/cancel":
            request = self._active.get(params.get("id"))
            if request is not None:
                request.cancelled = True
                if request.on_cancel is not None:
                    request.on_cancel()

    def _end(self) -> None:
        """The socket has ended: nobody waits for ever."""
        self.closed = True
        for slot in list(self._calls.values()):
            slot[0].set()
        for stream in list(self._inputs.values()):
            stream.feed(b"", True, "the host is gone")
        for output in list(self._outputs.values()):
            output.wake()
        self._started.set()

    def _gone(self) -> HostError:
        why = self.fault or "the host has closed the connection"
        return HostError("internal.closed", why, retryable=True)


def failure(error: BaseException) -> HostError:
    """What the host is told of an exception: its kind, nothing that could be a secret."""
    return HostError("internal.app", f"the app failed: {type(error).__name__}")


def _identifier(value: int | str) -> str:
    return "%d" % value if type(value) is int else quote(value)  # type: ignore[arg-type]


_current: Connection | None = None
_current_lock = allocate_lock()


def current() -> Connection:
    """The connection of this process, from ``BULKHEAD_FD``."""
    global _current
    with _current_lock:
        if _current is None:
            number = os.environ.get("BULKHEAD_FD")
            if number is None:
                raise RuntimeError(
                    "BULKHEAD_FD is not set: this program runs inside Bulkhead. "
                    "Start it with `bulkhead dev` or install it."
                )
            _current = Connection(int(number), ("http.request",))
        return _current
