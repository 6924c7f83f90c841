# SPDX-License-Identifier: Apache-2.0
"""SQL values to and from the wire (docs/PROTOCOL.md, "To the host").

JSON carries null, 64-bit integers, doubles and text; blobs ride in the body of the frame, and the
two infinities have a form of their own. NaN becomes NULL, as SQLite itself has it.
"""

from __future__ import annotations

from ._errors import HostError
from .json import dumps, loads, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping, Sequence, Union

    Value = Union[None, int, float, str, bytes, bytearray, memoryview]
    Params = Union[Sequence[Value], Mapping[str, Value]]

_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1
_INFINITY = float("inf")


class Blobs:
    """The body of a request, put together blob by blob."""

    __slots__ = ("length", "parts")

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.length = 0

    def add(self, data: Any) -> dict[str, list[int]]:
        view = data if type(data) is bytes else bytes(data)
        where = [self.length, len(view)]
        self.parts.append(view)
        self.length += len(view)
        return {"blob": where}

    def body(self) -> bytes:
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


def _value(value: Any, blobs: Blobs) -> Any:
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is int:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        raise HostError("params.value", f"the integer {value} does not fit 64 bits")
    if kind is float:
        if value - value == 0.0:
            return value
        if value != value:
            return None
        return {"real": "inf" if value > 0 else "-inf"}
    if kind is bytes or kind is bytearray or kind is memoryview:
        return blobs.add(value)
    return _derived(value, blobs)


def _derived(value: Any, blobs: Blobs) -> Any:
    """Subclasses, as what they are underneath: True is 1, an IntEnum its integer."""
    for base in (int, float, str, bytes):
        if isinstance(value, base):
            return _value(base(value), blobs)
    raise HostError(
        "params.value",
        f"a {type(value).__name__} is no SQL value; use None, int, float, str or bytes",
    )


def encode_params(params: Params, blobs: Blobs) -> str:
    """``params`` as JSON; blobs go to ``blobs``."""
    if not params:
        return "[]"
    if type(params) is list or type(params) is tuple:
        return dumps([_value(value, blobs) for value in params])
    if isinstance(params, str):
        raise HostError("params.value", "params is a text; for one value write (value,)")
    if hasattr(params, "keys"):
        return dumps({str(key): _value(params[key], blobs) for key in params.keys()})
    return dumps([_value(value, blobs) for value in params])


class Row(tuple):  # type: ignore[type-arg]
    """A row: a tuple whose fields are found by name too, ``row["title"]``."""

    __slots__ = ()
    _index: dict[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        if type(key) is str:
            try:
                key = self._index[key]
            except KeyError:
                raise KeyError(key) from None
        return tuple.__getitem__(self, key)

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
    """The rows of a result, a list; ``columns`` are their names."""

    __slots__ = ("columns",)
    columns: tuple[str, ...]

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


def decode_rows(result: dict[str, Any], body: bytes, plain: bool) -> Rows:
    """``{"columns", "rows"}`` as Rows. ``plain`` when no value needs a second look."""
    columns = tuple(result["columns"])
    raw = result["rows"]
    if not plain:
        for row in raw:
            for at, value in enumerate(row):
                if type(value) is dict:
                    row[at] = special(value, body)
    rows = Rows(map(row_type(columns), raw))
    rows.columns = columns
    return rows


def special(value: dict[str, Any], body: bytes) -> Any:
    blob = value.get("blob")
    if blob is not None:
        return body[blob[0] : blob[0] + blob[1]]
    if "real" in value:
        return -_INFINITY if value["real"] == "-inf" else _INFINITY
    if "int" in value:
        return int(value["int"])
    raise HostError("internal.value", "the host sent a value this SDK does not know")
