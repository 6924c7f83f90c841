# SPDX-License-Identifier: Apache-2.0
"""Many rows as bytes: ``columns/1`` of docs/SQL.md.

Values of one column lie together, so that they move with a few calls instead of one each:

    u32le length · u32le rows · u32le columns · per column: u8 kind, then
      0 null · 1 int: i64le each · 2 real: f64le each · 3 text, 4 blob: u32le length each, bytes
      5 mixed: u8 kind each, then the ints, the reals, the lengths, the bytes
"""

from __future__ import annotations

import sys
from array import array

from ._errors import HostError
from ._sqlcodec import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Sequence

_NULL, _INT, _REAL, _TEXT, _BLOB, _MIXED = range(6)
_KINDS = {type(None): _NULL, int: _INT, float: _REAL, str: _TEXT, bytes: _BLOB}
_SWAP = sys.byteorder == "big"


def _pack(code: str, values: Iterable[Any]) -> bytes:
    packed = array(code, values)
    if _SWAP:
        packed.byteswap()
    return packed.tobytes()


def _unpack(code: str, data: bytes) -> Any:
    packed = array(code)
    packed.frombytes(data)
    if _SWAP:
        packed.byteswap()
    return packed


def _ints(values: Sequence[int]) -> bytes:
    try:
        return _pack("q", values)
    except OverflowError:
        raise HostError("params.value", "an integer does not fit 64 bits") from None


def _bytes(values: Sequence[Any]) -> bytes:
    """Lengths, then the bytes."""
    return _pack("I", map(len, values)) + b"".join(values)


def _text(values: Sequence[str]) -> bytes:
    together = "".join(values)
    if together.isascii():
        return _pack("I", map(len, values)) + together.encode()
    return _bytes([value.encode("utf-8", "surrogateescape") for value in values])


def _column(values: Sequence[Any]) -> bytes:
    kinds = set(map(type, values))
    if len(kinds) == 1:
        kind = kinds.pop()
        if kind is int:
            return b"\1" + _ints(values)
        if kind is str:
            return b"\3" + _text(values)
        if kind is float and all(value == value for value in values):
            return b"\2" + _pack("d", values)
        if kind is bytes:
            return b"\4" + _bytes(values)
        if kind is type(None):
            return b"\0"
    return _mixed(list(map(plain, values)))


def _mixed(values: list[Any]) -> bytes:
    kinds = bytes(map(_KINDS.__getitem__, map(type, values)))
    long = [
        value.encode("utf-8", "surrogateescape") if type(value) is str else value
        for value in values
        if type(value) is str or type(value) is bytes
    ]
    return b"".join(
        (
            b"\5",
            kinds,
            _ints([value for value in values if type(value) is int]),
            _pack("d", [value for value in values if type(value) is float]),
            _bytes(long),
        )
    )


def encode(rows: Sequence[Sequence[Any]]) -> bytes:
    """The chunk of these rows, all of one length and not empty. Raises HostError."""
    width = len(rows[0])
    if set(map(len, rows)) != {width}:
        raise HostError("params.value", f"the first row has {width} values, another has not")
    body = b"".join(map(_column, zip(*rows)))
    return _pack("I", (8 + len(body), len(rows), width)) + body


class _Cursor:
    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        at = self.at
        self.at = at + count
        return self.data[at : at + count]

    def texts(self, count: int) -> list[bytes]:
        lengths = _unpack("I", self.take(4 * count))
        data, at, out = self.data, self.at, []
        for length in lengths:
            out.append(data[at : at + length])
            at += length
        self.at = at
        return out


def _values(cursor: _Cursor, rows: int) -> Sequence[Any]:
    kind = cursor.take(1)[0]
    if kind == _NULL:
        return (None,) * rows
    if kind == _INT:
        return _unpack("q", cursor.take(8 * rows))  # type: ignore[no-any-return]
    if kind == _REAL:
        return _unpack("d", cursor.take(8 * rows))  # type: ignore[no-any-return]
    if kind == _TEXT:
        return _decoded(cursor, rows)
    if kind == _BLOB:
        return cursor.texts(rows)
    kinds = cursor.take(rows)
    ints = iter(_unpack("q", cursor.take(8 * kinds.count(_INT))))
    reals = iter(_unpack("d", cursor.take(8 * kinds.count(_REAL))))
    longs = iter(cursor.texts(kinds.count(_TEXT) + kinds.count(_BLOB)))
    out: list[Any] = []
    for kind in kinds:
        if kind == _NULL:
            out.append(None)
        elif kind == _INT:
            out.append(next(ints))
        elif kind == _REAL:
            out.append(next(reals))
        elif kind == _TEXT:
            out.append(next(longs).decode("utf-8", "surrogateescape"))
        else:
            out.append(next(longs))
    return out


def _decoded(cursor: _Cursor, rows: int) -> list[str]:
    lengths = _unpack("I", cursor.take(4 * rows))
    data = cursor.take(sum(lengths))
    if not data.isascii():
        cursor.at -= len(data) + 4 * rows
        return [text.decode("utf-8", "surrogateescape") for text in cursor.texts(rows)]
    text, at, out = data.decode(), 0, []
    for length in lengths:
        out.append(text[at : at + length])
        at += length
    return out


def decode(chunk: bytes) -> list[tuple[Any, ...]]:
    """The rows of one whole chunk."""
    _, rows, width = _unpack("I", chunk[:12])
    cursor = _Cursor(chunk)
    cursor.at = 12
    return list(zip(*[_values(cursor, rows) for _ in range(width)]))


class Chunks:
    """Cuts what arrives into chunks."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The chunks that are whole now."""
        data = self._rest + piece if self._rest else piece
        at, out = 0, []
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "little")
            if end > len(data):
                break
            out.append(data[at:end])
            at = end
        self._rest = data[at:]
        return out
