# SPDX-License-Identifier: Apache-2.0
"""SQL values to and from the JSON of the wire (docs/SQL.md).

JSON carries null, 64-bit integers, doubles and text. Blobs and long texts ride in the body of the
frame, and the two infinities have a form of their own. NaN becomes NULL, as SQLite has it.
"""

from __future__ import annotations

from ._errors import HostError
from .json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Mapping, Sequence, Union

    Value = Union[None, int, float, str, bytes, bytearray, memoryview]
    Params = Union[Sequence[Value], Mapping[str, Value]]

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1
_INFINITY = float("inf")
PARAMS_MAX = 32_766
_INLINE_MAX = 16_384
"""A text longer than this goes to the body: its JSON has a limit."""


class Blobs:
    """The body of a request, put together value by value."""

    __slots__ = ("length", "parts")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0

    def add(self, data: bytes) -> list[int]:
        where = [self.length, len(data)]
        self.parts.append(data)
        self.length += len(data)
        return where

    def body(self) -> bytes:
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


def plain(value: Any) -> Any:
    """``value`` as None, int, float, str or bytes: what SQLite stores. Raises HostError."""
    kind = type(value)
    if kind is str or kind is bytes or value is None:
        return value
    if kind is int:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        raise HostError("params.value", f"the integer {value} does not fit 64 bits")
    if kind is float:
        return value if value == value else None
    if kind is bytearray or kind is memoryview:
        return bytes(value)
    # Subclasses, as what they are underneath: True is 1, an IntEnum its integer.
    base: Any
    for base in (int, float, str, bytes):
        if isinstance(value, base):
            return plain(base(value))
    raise HostError(
        "params.value",
        f"a {kind.__name__} is no SQL value; use None, int, float, str or bytes",
    )


def _value(value: Any, blobs: Blobs) -> Any:
    kind = type(value)
    if kind is int and _INT_MIN <= value <= _INT_MAX:
        return value
    value = plain(value)
    kind = type(value)
    if kind is str:
        if len(value) > _INLINE_MAX:
            return {"text": blobs.add(value.encode("utf-8", "surrogateescape"))}
    elif kind is bytes:
        return {"blob": blobs.add(value)}
    elif kind is float and value - value != 0.0:
        return {"real": "inf" if value > 0 else "-inf"}
    return value


def encode_params(params: Params, blobs: Blobs) -> str:
    """``params`` as JSON; blobs go to ``blobs``. Raises HostError."""
    if len(params) > PARAMS_MAX:
        raise HostError("params.size", f"{len(params)} parameters, {PARAMS_MAX} are allowed")
    kind = type(params)
    if kind is tuple or kind is list:
        return dumps([_value(value, blobs) for value in params])
    if isinstance(params, (str, bytes)):
        raise HostError("params.value", "params is one value; write (value,)")
    if hasattr(params, "keys"):
        named: Any = params
        return dumps({str(key): _value(named[key], blobs) for key in named.keys()})
    return dumps([_value(value, blobs) for value in params])


class Row(tuple):  # type: ignore[type-arg]
    """A row: a tuple whose fields are found by name too, ``row["title"]``."""

    __slots__ = ()
    _index: dict[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self._index[key] if type(key) is str else key)

    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._index)

    def get(self, name: str, default: Any = None) -> Any:
        at = self._index.get(name)
        return default if at is None else tuple.__getitem__(self, at)

    def as_dict(self) -> dict[str, Any]:
        """The row as a dict; of columns with one name the first counts."""
        return {name: tuple.__getitem__(self, at) for name, at in self._index.items()}


class Rows(list):  # type: ignore[type-arg]
    """The rows of a result, a list; ``columns`` are their names.

    ``changes`` and ``last_insert_row_id`` are None if the statement only read.
    """

    __slots__ = ("changes", "columns", "last_insert_row_id")
    changes: int | None
    columns: tuple[str, ...]
    last_insert_row_id: int | None

    def __init__(
        self,
        rows: Iterable[Any],
        columns: tuple[str, ...],
        changes: int | None = None,
        last_insert_row_id: int | None = None,
    ) -> None:
        list.__init__(self, rows)
        self.columns = columns
        self.changes = changes
        self.last_insert_row_id = last_insert_row_id

    def dicts(self) -> Iterator[dict[str, Any]]:
        """Each row as a dict."""
        return (row.as_dict() for row in self)

    def one(self) -> Any:
        """The first row, or None."""
        return self[0] if self else None


_row_types: dict[tuple[str, ...], type[Row]] = {}


def row_type(columns: tuple[str, ...]) -> type[Row]:
    """The kind of row these columns make. Kept: making a class costs more than a query."""
    found = _row_types.get(columns)
    if found is None:
        if len(_row_types) >= 512:
            _row_types.clear()
        index: dict[str, int] = {}
        for at, name in enumerate(columns):
            index.setdefault(name, at)
        found = type("Row", (Row,), {"__slots__": (), "_index": index})
        _row_types[columns] = found
    return found


def decode_rows(result: dict[str, Any], body: bytes, flat: bool) -> Rows:
    """``{"columns", "rows"}`` as Rows. ``flat`` when no value needs a second look."""
    columns = tuple(result["columns"])
    raw = result["rows"]
    if not flat:
        for row in raw:
            for at, value in enumerate(row):
                if type(value) is dict:
                    row[at] = special(value, body)
    return Rows(
        map(_row_types.get(columns) or row_type(columns), raw),
        columns,
        result.get("changes"),
        result.get("lastInsertRowId"),
    )


def special(value: dict[str, Any], body: bytes) -> Any:
    """A tagged value of a result."""
    for tag, where in value.items():
        if tag == "blob":
            return body[where[0] : where[0] + where[1]]
        if tag == "text":
            return body[where[0] : where[0] + where[1]].decode("utf-8", "surrogateescape")
        if tag == "real":
            return -_INFINITY if where == "-inf" else _INFINITY
        if tag == "int":
            return int(where)
    raise HostError("internal.value", "the host sent a value this SDK does not know")
