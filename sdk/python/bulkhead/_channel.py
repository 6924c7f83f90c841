# SPDX-License-Identifier: Apache-2.0
"""The short way to SQL: frames straight to the app's worker.

With one caller a request is one write and one read, in the caller's own thread. With several, the
first to find the channel free reads for all until its own answer is there, then hands on.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

from ._streams import Signal
from ._wire import FrameError, FrameReader, head, write_all, write_two

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ChannelClosed(Exception):
    """The worker's socket has ended. ``sent`` tells whether the request may have been carried out."""

    def __init__(self, sent: bool) -> None:
        super().__init__("the SQL socket has ended")
        self.sent = sent


class Channel:
    """One descriptor on which requests are answered, and nothing is asked."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, True)
        os.set_inheritable(fd, False)
        self._fd = fd
        self.closed = False
        self._write_lock = allocate_lock()
        self._read_lock = allocate_lock()
        self._reader = FrameReader(fd)
        self._waiting: dict[int, list[Any]] = {}
        self._next = 0

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
        taken = self._await(number, slot)
        if taken is None:
            raise ChannelClosed(True)
        return taken  # type: ignore[no-any-return]

    def _await(self, number: int, slot: list[Any]) -> Any:
        lock = self._read_lock
        while True:
            if lock.acquire(False):
                try:
                    while slot[0] is None and not self.closed:
                        self._take(number, slot)
                finally:
                    lock.release()
                    self._hand_on()
                return slot[0]
            signal = slot[1]
            if signal is None:
                signal = slot[1] = Signal()
                continue  # Only now can the reading thread wake us: look again first.
            if slot[0] is not None or self.closed:
                return slot[0]
            signal.wait()
            if slot[0] is not None or self.closed:
                return slot[0]

    def _take(self, number: int, slot: list[Any]) -> None:
        """Reads one frame, for whomever it is."""
        try:
            taken = self._reader.read()
        except (OSError, FrameError, ValueError):
            taken = None
        if taken is None:
            self._end()
            return
        found = self._waiting.pop(taken[0].get("id", -1), None)
        if found is not None:
            found[0] = taken
            if found is not slot and found[1] is not None:
                found[1].set()

    def _hand_on(self) -> None:
        """Somebody still waiting reads next."""
        for slot in list(self._waiting.values()):
            signal = slot[1]
            if signal is not None and slot[0] is None:
                signal.set()
                return

    def _end(self) -> None:
        self.closed = True
        for slot in list(self._waiting.values()):
            if slot[1] is not None:
                slot[1].set()
        self._waiting.clear()
