# SPDX-License-Identifier: Apache-2.0
"""The short way to SQL: frames straight to the app's worker.

A thread has a channel to itself as long as the worker gives sockets (``another``): a request is
one write and one read, in the caller's own thread. Threads that share one take turns: the first to
find it free reads for all until its own answer is there, then hands on.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

from ._errors import Disconnected
from ._streams import Signal
from ._wire import READ, FrameError, FrameReader, head, write_all, write_two

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

CREDIT = 262_144
_PATIENCE = 0.05
"""Seconds to wait for a quiet moment to ask for another socket."""


class ChannelClosed(Exception):
    """The worker's socket has ended. ``sent``: the request may have been carried out."""

    def __init__(self, sent: bool) -> None:
        super().__init__("the SQL socket has ended")
        self.sent = sent


class Channel:
    """One descriptor on which requests are answered, and nothing is asked."""

    def __init__(self, fd: int, owned: bool = False) -> None:
        self._owned = False
        os.set_blocking(fd, True)
        os.set_inheritable(fd, False)
        self._fd = fd
        self._owned = owned
        self.closed = False
        self._write_lock = allocate_lock()
        self._read_lock = allocate_lock()
        self._reader = FrameReader(fd)
        # id: [what came, the signal of the thread that waits, whether it is a stream]
        self._waiting: dict[int, list[Any]] = {}
        self._streams: dict[Any, ResultStream] = {}
        self._next = 0

    def __del__(self) -> None:
        if self._owned:
            os.close(self._fd)

    def another(self) -> Channel | None:
        """One more channel to the same worker; None if there is none to be had now.

        The descriptor comes beside the answer, so nothing else may be under way here.
        """
        with self._write_lock:
            if self.closed or not self._read_lock.acquire(True, _PATIENCE):
                return None
            try:
                return None if self._waiting or self._streams else self._open()
            finally:
                self._read_lock.release()
                if self._waiting or self._streams:
                    self._hand_on()

    def _open(self) -> Channel | None:
        import _socket

        number = self._next
        self._next = number + 1
        slot: list[Any] = [None, None]
        self._waiting[number] = slot
        link = _socket.socket(fileno=self._fd)
        try:
            text = '{"jsonrpc":"2.0","id":%d,"method":"sql.open","params":{}}'
            write_all(self._fd, head(text % number))
            data, beside, _, _ = link.recvmsg(READ, _socket.CMSG_SPACE(4))
        except OSError:
            data, beside = b"", []
        finally:
            link.detach()
        found = [
            int.from_bytes(payload[:4], sys.byteorder)
            for level, kind, payload in beside
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS and len(payload) >= 4
        ]
        if data:
            self._reader.push(data)
            while slot[0] is None and not self.closed:
                self._take(slot)
        else:
            self._end()
        return Channel(found[0], owned=True) if found else None

    def request(self, text: str, body: bytes) -> tuple[dict[str, Any], bytes, bool]:
        """Sends what follows the id; gives the response, its body and whether it is flat.

        Raises ChannelClosed when the socket has ended.
        """
        slot: list[Any] = [None, None]
        with self._write_lock:
            number = self._next
            self._next = number + 1
            encoded = head('{"jsonrpc":"2.0","id":%d,%s' % (number, text), len(body))
            if self.closed:
                raise ChannelClosed(False)
            self._waiting[number] = slot
            try:
                if body:
                    write_two(self._fd, encoded, body)
                else:
                    write_all(self._fd, encoded)
            except OSError:
                # What was written of it cannot be whole: the worker did not carry it out.
                self._end()
                raise ChannelClosed(False) from None
        taken = self.wait(slot)
        if taken is None:
            raise ChannelClosed(True)
        return taken  # type: ignore[no-any-return]

    def wait(self, slot: list[Any]) -> Any:
        """Until something is in the slot. None: the socket has ended."""
        lock = self._read_lock
        while True:
            if lock.acquire(False):
                try:
                    while slot[0] is None and not self.closed:
                        self._take(slot)
                finally:
                    lock.release()
                    if self._waiting or self._streams:
                        self._hand_on()
                return slot[0]
            signal = slot[1]
            if signal is None:
                # Only now can the reading thread wake us: look again first.
                slot[1] = Signal()
                continue
            if slot[0] is None and not self.closed:
                signal.wait()
            if slot[0] is not None or self.closed:
                return slot[0]

    def send(self, text: str) -> None:
        with self._write_lock:
            if not self.closed:
                try:
                    write_all(self._fd, head(text))
                except OSError:
                    self._end()

    def _take(self, slot: list[Any]) -> None:
        """Reads one frame, for whomever it is."""
        try:
            taken = self._reader.read()
        except (OSError, FrameError, ValueError):
            taken = None
        if taken is None:
            self._end()
            return
        message = taken[0]
        number = message.get("id")
        if number is None:
            self._notified(message, taken[1])
            return
        found = self._waiting.pop(number, None)
        if found is None:
            return
        if "stream" in message:
            name = message["stream"]
            stream = self._streams[name] = ResultStream(self, name, taken[1])
            found[0] = (message, stream, True)
        else:
            found[0] = taken
        if found is not slot and found[1] is not None:
            found[1].set()

    def _notified(self, message: dict[str, Any], body: bytes) -> None:
        params = message.get("params") or {}
        if message.get("method") != "$/data":
            return
        name, end = params.get("stream"), bool(params.get("end"))
        stream = self._streams.pop(name, None) if end else self._streams.get(name)
        if stream is not None:
            stream.feed(body, end, params.get("error"))

    def _hand_on(self) -> None:
        """Somebody still waiting reads next."""
        for slot in list(self._waiting.values()):
            if slot[1] is not None and slot[0] is None:
                slot[1].set()
                return
        for stream in list(self._streams.values()):
            if stream.wake():
                return

    def _end(self) -> None:
        self.closed = True
        for slot in list(self._waiting.values()):
            if slot[1] is not None:
                slot[1].set()
        self._waiting.clear()
        for stream in list(self._streams.values()):
            stream.feed(b"", True, "the database worker ended")
        self._streams.clear()


class ResultStream:
    """A result that arrives in pieces. One thread reads it; it reads the socket too if need be."""

    def __init__(self, channel: Channel, number: int, first: bytes) -> None:
        self._channel = channel
        self._number = number
        self._lock = allocate_lock()
        # What has come, as `Channel.wait` wants it: None, or a list of pieces; b"" is the end.
        self._slot: list[Any] = [[first] if first else None, None]
        self._ended = False
        self._stopped = False
        self._error: Optional[str] = None
        self._taken = 0

    def feed(self, piece: bytes, end: bool, error: Optional[str]) -> None:
        """From the reading thread."""
        with self._lock:
            pieces = self._slot[0] or []
            if piece and not self._stopped:
                pieces.append(piece)
            if end:
                self._ended, self._error = True, error
                pieces.append(b"")
            self._slot[0] = pieces or None
        self.wake()

    def wake(self) -> bool:
        signal = self._slot[1]
        if signal is not None:
            signal.set()
        return signal is not None

    def read(self) -> bytes:
        """What has come, empty at the end. Raises Disconnected if the rest does not come."""
        if self._channel.wait(self._slot) is None:
            raise Disconnected("the result stopped: the database worker ended")
        with self._lock:
            pieces = self._slot[0]
            self._slot[0] = [b""] if self._ended else None
        piece = b"".join(pieces)
        if not piece and self._error is not None:
            raise Disconnected(self._error)
        self._taken += len(piece)
        if self._taken >= CREDIT // 2 and not self._ended:
            self._channel.send(
                '{"jsonrpc":"2.0","method":"$/credit","params":{"stream":%d,"bytes":%d}}'
                % (self._number, self._taken)
            )
            self._taken = 0
        return piece

    def stop(self) -> None:
        """The rest is not wanted."""
        with self._lock:
            if self._ended or self._stopped:
                return
            self._stopped = True
        self._channel.send(
            '{"jsonrpc":"2.0","method":"$/stop","params":{"stream":%d}}' % self._number
        )
