# SPDX-License-Identifier: Apache-2.0
"""Frames: their shape, their limits, reading and writing them on a blocking descriptor.

    u32be total (bytes that follow) · u32be jsonLength · JSON · body
"""

from __future__ import annotations

import os

from ._errors import HostError
from .json import dumps, loads, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    Bytes = Union[bytes, bytearray, memoryview]

# Until the host says otherwise in `initialize`, see `agree`.
FRAME_MAX = 1_048_576
JSON_MAX = 262_144
VALUES_MAX = 60_000
"""Values in one message; the host's parser takes 65,536."""
PIECE = 65_536
"""Bytes of body in one ``$/data`` frame."""
READ = 65_536


def agree(limits: dict[str, Any]) -> None:
    """Takes over the limits of ``initialize``."""
    global FRAME_MAX, JSON_MAX
    FRAME_MAX = limits.get("frameBytes", FRAME_MAX)
    JSON_MAX = limits.get("jsonBytes", JSON_MAX)


class FrameError(Exception):
    """The peer sent something that is no frame: the connection cannot go on."""


def head(text: str, body_length: int = 0) -> bytes:
    """The frame without its body.

    Raises HostError ``params.size`` where the host would end the guest for the size, and
    ``params.text`` for text that is not Unicode (lone surrogates).
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise HostError("params.text", f"text with a lone surrogate: {error.reason}") from None
    size = len(encoded)
    if size > JSON_MAX:
        raise HostError(
            "params.size",
            f"the JSON of this message has {size} bytes, {JSON_MAX} are allowed; "
            "send less at once, or move bytes to the body",
        )
    total = 4 + size + body_length
    if total > FRAME_MAX:
        raise HostError(
            "params.size", f"this message has {total} bytes, {FRAME_MAX} are allowed"
        )
    return b"%b%b%b" % (total.to_bytes(4, "big"), size.to_bytes(4, "big"), encoded)


def frame(message: dict[str, Any], body: Bytes = b"") -> bytes:
    """A whole small frame."""
    encoded = head(dumps(message), len(body))
    return b"".join((encoded, body)) if body else encoded


def data_text(stream: int, end: bool, error: str | None = None) -> str:
    tail = "" if error is None else ',"error":' + quote(error)
    return (
        '{"jsonrpc":"2.0","method":"$/data","params":{"stream":%d,"end":%s%s}}'
        % (stream, "true" if end else "false", tail)
    )


def write_all(fd: int, data: Bytes) -> None:
    """Every byte of ``data``, in one call where the kernel takes it."""
    written = os.write(fd, data)
    if written == len(data):
        return
    rest = memoryview(data)[written:]
    while rest:
        rest = rest[os.write(fd, rest) :]


def write_two(fd: int, first: bytes, second: Bytes) -> None:
    """A head and its body, gathered so that neither is copied."""
    written = os.writev(fd, (first, second))
    if written == len(first) + len(second):
        return
    if written < len(first):
        write_all(fd, first[written:])
        write_all(fd, second)
    else:
        write_all(fd, memoryview(second)[written - len(first) :])


class FrameReader:
    """Takes frames from a descriptor; one thread at a time."""

    __slots__ = ("_at", "_buffer", "_fd")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = b""
        self._at = 0

    def read(self) -> tuple[dict[str, Any], bytes, bool] | None:
        """The next message, its body, and whether the message is flat.

        A flat message has no object but itself and its ``result``, so no SQL value in it needs a
        second look. None once the peer has closed. Raises FrameError if what comes is no frame.
        """
        buffer, at = self._buffer, self._at
        if at == len(buffer):
            buffer, at = os.read(self._fd, READ), 0
            if not buffer:
                return None
        while len(buffer) - at < 8:
            more = os.read(self._fd, READ)
            if not more:
                return None
            buffer, at = buffer[at:] + more, 0
        total = int.from_bytes(buffer[at : at + 4], "big")
        size = int.from_bytes(buffer[at + 4 : at + 8], "big")
        if total > FRAME_MAX or not 2 <= size <= total - 4 or size > JSON_MAX:
            raise FrameError(f"a frame of {total} bytes with {size} bytes of JSON")
        end = at + 4 + total
        if len(buffer) < end:
            buffer, at, end = self._fill(buffer[at:], 4 + total), 0, 4 + total
            if not buffer:
                return None
        middle = at + 8 + size
        self._buffer, self._at = buffer, end
        text = buffer[at + 8 : middle].decode()
        return loads(text), buffer[middle:end], text.count("{") <= 2

    def push(self, data: bytes) -> None:
        """Bytes that somebody else has read."""
        rest = self._buffer[self._at :]
        self._buffer, self._at = rest + data if rest else data, 0

    def take(self) -> tuple[dict[str, Any], bytes, bool] | None:
        """As ``read``, from what was pushed; None if that is no whole frame."""
        have = len(self._buffer) - self._at
        total = int.from_bytes(self._buffer[self._at : self._at + 4], "big")
        if have >= 4 and total > FRAME_MAX:
            raise FrameError(f"a frame of {total} bytes")
        return self.read() if have >= 8 and have >= 4 + total else None

    def _fill(self, start: bytes, end: int) -> bytes:
        # Bounded by one frame and one read.
        parts, have = [start], len(start)
        while have < end:
            more = os.read(self._fd, max(READ, end - have))
            if not more:
                return b""
            parts.append(more)
            have += len(more)
        return b"".join(parts)


def checked(value: Any) -> Any:
    """``value`` if the host's parser takes it, else HostError ``params.value``.

    The host ends a guest whose JSON breaks its rules, so what an app passes through is looked at
    here first: depth under 32 in all, keys that are text, integers of 64 bits, so many values.
    """
    if _count(value, 29) > VALUES_MAX:
        raise HostError("params.size", f"more than {VALUES_MAX} values in one message")
    return value


def _count(value: Any, depth: int) -> int:
    kind = type(value)
    if kind is str or kind is bool or value is None or kind is float:
        return 1
    if kind is int:
        if -(1 << 63) <= value < 1 << 63:
            return 1
        raise HostError("params.value", f"{value} does not fit 64 bits")
    if depth == 0:
        raise HostError("params.value", "nested more than 29 deep")
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise HostError("params.value", f"the key {key!r} is not text")
        return 1 + sum(_count(item, depth - 1) for item in value.values())
    if kind is list or kind is tuple:
        return 1 + sum(_count(item, depth - 1) for item in value)
    raise HostError("params.value", f"a {kind.__name__} cannot be sent as JSON")
