# SPDX-License-Identifier: Apache-2.0
"""The app's SQLite databases.

    from bulkhead import sql

    db = sql.open("main")
    db.execute("INSERT INTO note (title) VALUES (?)", ("first",))
    for row in db.query("SELECT id, title FROM note"):
        print(row[0], row["title"])

Integers are exact over 64 bits, blobs are bytes, infinities come back as they went; NaN is stored
as NULL. A write that returned is on disk. Any thread may use a database.
"""

from __future__ import annotations

import os

from ._channel import Channel, ChannelClosed
from ._connection import current
from ._errors import HostError
from .json import quote
from ._sqlcodec import Blobs, Row, Rows, decode_rows, encode_params

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Sequence, Union

    from ._sqlcodec import Params, Value

    Statement = Union[str, tuple[str, Params]]

__all__ = ["Database", "HostError", "Outcome", "Row", "Rows", "connect", "open"]


class Outcome(tuple):  # type: ignore[type-arg]
    """What a statement changed: ``(changes, last_insert_row_id)``."""

    __slots__ = ()

    @property
    def changes(self) -> int:
        return self[0]  # type: ignore[no-any-return]

    @property
    def last_insert_row_id(self) -> int:
        return self[1]  # type: ignore[no-any-return]


class Database:
    """One database of the app. Made by ``open``; keeps no state, so keep it or open again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._named = quote(name)
        self._heads: dict[str, str] = {}

    def query(self, sql: str, params: Params = (), timeout: float | None = None) -> Rows:
        """The rows of a statement. Raises HostError."""
        text = self._heads.get(sql) or self._head(sql)
        if params:
            blobs = Blobs()
            text = '"method":"sql.query"' + text + encode_params(params, blobs) + "}"
            body = blobs.body() if blobs.length else b""
        else:
            text, body = '"method":"sql.query"' + text + "[]}", b""
        result, body, plain = _ask(text + _meta(timeout), body)
        return decode_rows(result, body, plain)

    def execute(self, sql: str, params: Params = (), timeout: float | None = None) -> Outcome:
        """Runs a statement. Raises HostError."""
        blobs = Blobs()
        text = '"method":"sql.execute"' + (self._heads.get(sql) or self._head(sql))
        text += encode_params(params, blobs) + "}" + _meta(timeout)
        result, _, _ = _ask(text, blobs.body())
        return Outcome((result["changes"], result["lastInsertRowId"]))

    def batch(
        self, statements: Iterable[Statement], timeout: float | None = None
    ) -> list[Outcome]:
        """Runs statements in one transaction, all or none. Each is SQL, or ``(sql, params)``."""
        blobs = Blobs()
        parts = []
        for statement in statements:
            sql, params = (statement, ()) if isinstance(statement, str) else statement
            parts.append(
                '{"sql":%s,"params":%s}' % (quote(sql), encode_params(params, blobs))
            )
        text = '"method":"sql.batch","params":{"database":%s,"statements":[%s]}' % (
            self._named,
            ",".join(parts),
        )
        result, _, _ = _ask(text + _meta(timeout), blobs.body())
        return [Outcome((one["changes"], one["lastInsertRowId"])) for one in result["results"]]

    def _head(self, sql: str) -> str:
        """The part of a request that is the same for each use of a statement."""
        text = ',"params":{"database":%s,"sql":%s,"params":' % (self._named, quote(sql))
        if len(self._heads) >= 512:
            self._heads.clear()
        self._heads[sql] = text
        return text


def open(name: str = "main") -> Database:
    """The database of that name, as the manifest has it."""
    return Database(name)


def connect(name: str = "main") -> Any:
    """A connection in the manner of the DB-API (PEP 249)."""
    from .dbapi import connect

    return connect(name)


_channel: Channel | None = None
_looked = False


def _short_way() -> Channel | None:
    global _channel, _looked
    if not _looked:
        number = os.environ.get("BULKHEAD_SQL_FD")
        if number is not None:
            _channel = Channel(int(number))
        _looked = True
    if _channel is not None and _channel.closed:
        _channel = None
    return _channel


def _meta(timeout: float | None) -> str:
    if timeout is None:
        return "}"
    return ',"meta":{"deadlineMs":%d}}' % max(1, timeout * 1000)


def _ask(text: str, body: bytes) -> tuple[dict[str, Any], bytes, bool]:
    """The result, its body, and whether it has plain values only."""
    channel = _channel or _short_way()
    if channel is not None:
        try:
            message, body, plain = channel.request(text, body)
        except ChannelClosed as closed:
            if closed.sent:
                raise HostError(
                    "upstream.sql",
                    "the database worker ended with this statement under way; "
                    "it may have been carried out or not",
                ) from None
        else:
            if "error" in message:
                raise HostError.of(message["error"])
            return message["result"], body, plain
    reply = current().request_text(text, body)
    return reply.result, reply.body, reply.flat
