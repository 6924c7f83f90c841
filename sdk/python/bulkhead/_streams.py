# SPDX-License-Identifier: Apache-2.0
"""Bodies longer than a frame: pieces on one side, credit on the other.

One thread reads or writes a stream at a time. The thread that reads the socket feeds it.
"""

from __future__ import annotations

from _thread import allocate_lock

from ._errors import Disconnected
from ._wire import PIECE, data_text, head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._connection import Connection
    from ._wire import Bytes


class Signal:
    """Wakes one waiting thread, now or when it next waits."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()

    def set(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # Already set, not yet noticed.

    def wait(self) -> None:
        self._lock.acquire()


class InputStream:
    """A body that arrives in pieces. Holds at most the credit it gave."""

    def __init__(self, connection: Connection, number: int, first: bytes, credit: int) -> None:
        self._connection = connection
        self._number = number
        self._pieces = [first] if first else []
        self._signal = Signal()
        self._ended = False
        self._stopped = False
        self._error: str | None = None
        self._taken = 0
        self._grant_at = max(1, credit // 2)

    def feed(self, piece: bytes, end: bool, error: str | None) -> None:
        """From the reading thread."""
        if piece and not self._stopped:
            self._pieces.append(piece)
        if end:
            self._error = error
            self._ended = True
        self._signal.set()

    def read(self) -> bytes:
        """The next piece, empty at the end. Raises Disconnected if the sender gave up."""
        while True:
            piece = self.take()
            if piece is not None:
                return piece
            self._signal.wait()

    def take(self) -> bytes | None:
        """As ``read``; None if nothing has come yet."""
        if not self._pieces:
            if not self._ended:
                return None
            if self._error is not None:
                raise Disconnected(f"the body stopped: {self._error}")
            return b""
        piece = self._pieces.pop(0)
        self._taken += len(piece)
        if self._taken >= self._grant_at and not self._ended:
            granted, self._taken = self._taken, 0
            self._connection.send_text(
                '{"jsonrpc":"2.0","method":"$/credit","params":{"stream":%d,"bytes":%d}}'
                % (self._number, granted)
            )
        return piece

    def leave(self) -> None:
        """Nobody will read on."""
        try:
            self.stop()
        except OSError:
            pass  # The connection is gone, and with it the sender.

    def stop(self) -> None:
        """Nothing more is wanted."""
        if not self._ended and not self._stopped:
            self._stopped = True
            self._connection.send_text(
                '{"jsonrpc":"2.0","method":"$/stop","params":{"stream":%d}}' % self._number
            )
        self._pieces.clear()


class OutputStream:
    """A body sent in pieces, no further than the receiver's credit."""

    def __init__(self, connection: Connection, number: int, credit: int) -> None:
        self._connection = connection
        self._number = number
        self._credit = credit
        self._signal = Signal()
        self._lock = allocate_lock()
        self._closed = False
        self._stopped = False

    def grant(self, count: int) -> None:
        """From the reading thread."""
        with self._lock:
            self._credit += count
        self.wake()

    def wake(self) -> None:
        """From the reading thread: look again."""
        self._signal.set()

    def stop(self) -> None:
        """From the reading thread: the receiver wants no more."""
        self._stopped = True
        try:
            self.close()
        except OSError:
            pass  # The connection is gone, and with it the receiver.
        self.wake()

    def write(self, data: Bytes, end: bool = False) -> None:
        """All of ``data``; waits for credit. Raises Disconnected once nobody wants it."""
        rest = memoryview(data)
        while rest:
            count = self._claim(min(len(rest), PIECE))
            self._send(rest[:count], end and count == len(rest))
            rest = rest[count:]
        if end and not self._closed:
            self.close()

    def close(self, error: str | None = None) -> None:
        """The one end of the stream; again is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._connection.forget_output(self._number)
        self._connection.send_text(data_text(self._number, True, error))

    def _claim(self, wanted: int) -> int:
        while True:
            count = self._available(wanted)
            if count:
                return count
            self._signal.wait()

    def _available(self, wanted: int) -> int:
        """Takes as much of the credit as there is, up to ``wanted``."""
        with self._lock:
            if self._stopped or self._closed or self._connection.closed:
                raise Disconnected("the receiver wants no more of this body")
            count = min(wanted, self._credit)
            self._credit -= count
            return count

    def _send(self, piece: Bytes, end: bool) -> None:
        encoded = head(data_text(self._number, end), len(piece))
        # Under the lock, so that no piece can follow the end that `stop` sends.
        with self._lock:
            if self._closed:
                raise Disconnected("the receiver wants no more of this body")
            if end:
                self._closed = True
                self._connection.forget_output(self._number)
            self._connection.send_frame(encoded, piece)
