# SPDX-License-Identifier: Apache-2.0
"""The app's SQLite databases.

    from bulkhead import sql

    db = sql.open("main")
    db.execute("INSERT INTO note (title) VALUES (?)", ("first",))
    for row in db.query("SELECT id, title FROM note"):
        print(row[0], row["title"])

Integers are exact over 64 bits, blobs are bytes, infinities come back as they went; NaN is stored
as NULL. A write that returned is on disk. Any thread may use a database. What the host refuses is
raised as HostError; docs/SQL.md lists methods, limits and errors.
"""

from __future__ import annotations

import os
from _thread import _local, allocate_lock

from ._channel import Channel, ChannelClosed
from ._connection import current
from ._errors import Disconnected, HostError
from ._sqlcodec import Blobs, Row, Rows, decode_rows, encode_params, row_type
from ._wire import FRAME_MAX, VALUES_MAX
from .json import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Mapping, Sequence, Union

    from ._sqlcodec import Params, Value

    Statement = Union[str, tuple[str, Params]]

__all__ = [
    "Database",
    "HostError",
    "Outcome",
    "Row",
    "Rows",
    "Transaction",
    "connect",
    "create",
    "databases",
    "open",
]

class Outcome(tuple):  # type: ignore[type-arg]
    """What a statement changed: ``(changes, last_insert_row_id)``."""

    __slots__ = ()

    @property
    def changes(self) -> int:
        return self[0]  # type: ignore[no-any-return]

    @property
    def last_insert_row_id(self) -> int:
        return self[1]  # type: ignore[no-any-return]


class _Statements:
    """What a database and a transaction have in common."""

    def __init__(self, name: str, tail: str) -> None:
        self.name = name
        self._named = quote(name)
        self._tail = tail  # What ends `params` in a request.
        self._heads: dict[str, str] = {}

    def query(self, sql: str, params: Params = (), timeout: float | None = None) -> Rows:
        """All rows of a statement. ``timeout`` in seconds.

        A result that does not fit one frame is asked for again as a stream; for a long one
        ``stream`` is cheaper, and holds little of it at a time.
        """
        text = self._heads.get(sql) or self._head(sql)
        if params:
            blobs = Blobs()
            text = '"method":"sql.query"' + text + encode_params(params, blobs)
            body = blobs.body() if blobs.length else b""
        else:
            text, body = '"method":"sql.query"' + text + "[]", b""
        try:
            result, body, flat = _ask(text + self._tail + _meta(timeout), body)
        except HostError as error:
            if error.code != "sql.too_large":
                raise
            return self._gathered(sql, params, timeout)
        return decode_rows(result, body, flat)

    def stream(
        self, sql: str, params: Params = (), timeout: float | None = None
    ) -> Iterator[Row]:
        """The rows of a statement as they come, however many there are.

        Memory stays flat. Leaving the loop early stops the statement.
        """
        for rows in self._pages(sql, params, timeout):
            yield from rows

    def execute(self, sql: str, params: Params = (), timeout: float | None = None) -> Outcome:
        """Runs a statement."""
        blobs = Blobs()
        text = '"method":"sql.execute"' + (self._heads.get(sql) or self._head(sql))
        text += encode_params(params, blobs) + self._tail + _meta(timeout)
        result, _, _ = _ask(text, blobs.body())
        return Outcome((result["changes"], result["lastInsertRowId"]))

    def batch(
        self, statements: Iterable[Statement], timeout: float | None = None
    ) -> list[Outcome | Rows]:
        """Runs statements in one transaction, all or none. Each is SQL, or ``(sql, params)``.

        Gives an Outcome for each, or Rows if the statement has rows.
        """
        blobs = Blobs()
        parts = []
        values = 0
        for statement in statements:
            sql, params = (statement, ()) if isinstance(statement, str) else statement
            values += len(params) + 4
            parts.append('{"sql":%s,"params":%s}' % (quote(sql), encode_params(params, blobs)))
        if values > VALUES_MAX:
            raise HostError(
                "params.size",
                f"{values} values in one batch, {VALUES_MAX} fit; "
                "use execute_many, or a transaction",
            )
        return self._batch(parts, blobs.body(), timeout)

    def execute_many(
        self, sql: str, rows: Iterable[Sequence[Value]], timeout: float | None = None
    ) -> Outcome:
        """Runs a statement once for each row of values, in one transaction, all or none."""
        from ._columns import encode

        total = [0, 0]
        room = FRAME_MAX - len(quote(sql).encode()) - 512
        chunks = _chunks(encode, rows if isinstance(rows, list) else list(rows), room)
        first = next(chunks, b"")
        second = next(chunks, b"")
        if not first:
            return Outcome((0, 0))
        if not second:
            return self._many(sql, first, timeout)
        with self._atomic() as place:
            for chunk in (first, second, *chunks):
                outcome = place._many(sql, chunk, timeout)
                total = [total[0] + outcome.changes, outcome.last_insert_row_id]
        return Outcome(total)

    def explain(self, sql: str) -> dict[str, Any]:
        """What SQLite would do: ``readOnly``, ``parameters``, ``columns`` and the ``plan``."""
        text = '"method":"sql.explain","params":{"database":%s,"sql":%s}' % (
            self._named,
            quote(sql),
        )
        plan: dict[str, Any] = _ask(text + "}", b"")[0]
        return plan

    def _many(self, sql: str, chunk: bytes, timeout: float | None) -> Outcome:
        part = '{"sql":%s,"rows":{"body":[0,%d]}}' % (quote(sql), len(chunk))
        outcome = self._batch([part], chunk, timeout)[0]
        assert isinstance(outcome, Outcome)
        return outcome

    def _batch(self, parts: list[str], body: bytes, timeout: float | None) -> list[Any]:
        text = '"method":"sql.batch","params":{"database":%s,"statements":[%s]' % (
            self._named,
            ",".join(parts),
        )
        result, body, flat = _ask(text + self._tail + _meta(timeout), body)
        return [
            decode_rows(one, body, False)
            if "rows" in one
            else Outcome((one["changes"], one["lastInsertRowId"]))
            for one in result["results"]
        ]

    def _atomic(self) -> Any:
        raise NotImplementedError

    def _head(self, sql: str) -> str:
        """The part of a request that is the same for each use of a statement."""
        text = ',"params":{"database":%s,"sql":%s,"params":' % (self._named, quote(sql))
        if len(self._heads) >= 512:
            self._heads.clear()
        self._heads[sql] = text
        return text

    def _gathered(self, sql: str, params: Params, timeout: float | None) -> Rows:
        rows = Rows((), ())
        for page in self._pages(sql, params, timeout):
            rows.extend(page)
            rows.columns = page.columns
        return rows

    def _pages(self, sql: str, params: Params, timeout: float | None) -> Iterator[Rows]:
        """A streamed result, chunk by chunk; at least one page, for its columns."""
        from ._columns import Chunks, decode

        blobs = Blobs()
        text = '"method":"sql.query"' + (self._heads.get(sql) or self._head(sql))
        text += encode_params(params, blobs) + ',"stream":true' + self._tail + _meta(timeout)
        result, body, _ = _ask(text, blobs.body())
        columns = tuple(result["columns"])
        make = row_type(columns)
        chunks = Chunks()
        source = None if isinstance(body, bytes) else body
        found = chunks.feed(body) if source is None else []
        try:
            while True:
                rows = Rows((), columns)
                for chunk in found:
                    rows.extend(map(make, decode(chunk)))
                yield rows
                piece = b"" if source is None else source.read()
                if not piece:
                    return
                found = chunks.feed(piece)
        except Disconnected as error:
            code, _, message = str(error).partition(": ")
            raise HostError(code if message else "sql.stream", message or code) from None
        finally:
            if source is not None:
                source.stop()


class Database(_Statements):
    """One database of the app. Made by ``open``; keeps no state, so keep it or open again."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "}")

    def transaction(self, mode: str = "write", timeout: float | None = None) -> Transaction:
        """Begins a transaction that statements can be added to one by one.

            with db.transaction() as tx:
                left = tx.query("SELECT …").one()
                tx.execute("UPDATE …")

        Commits at the end of the block, rolls back if it raises. ``mode`` "write" has the
        database's writer to itself, so keep it short; "read" keeps seeing the database as it was.
        The host ends it after ``timeout`` seconds (5 by default, 60 at most). If all statements
        are known beforehand ``batch`` is quicker.
        """
        limit = "" if timeout is None else ',"deadlineMs":%d' % max(1, timeout * 1000)
        text = '"method":"sql.begin","params":{"database":%s,"mode":%s%s}}' % (
            self._named,
            quote(mode),
            limit,
        )
        return Transaction(self.name, _ask(text, b"")[0]["transaction"])

    def delete(self) -> None:
        """Deletes the database and all that is in it. One of the manifest is made anew, empty."""
        _ask('"method":"sql.delete","params":{"database":%s}}' % self._named, b"")

    def copy(self, name: str) -> None:
        """Makes a database of that name, a copy of this one as it is now."""
        text = '"method":"sql.backup","params":{"database":%s,"to":%s}}'
        _ask(text % (self._named, quote(name)), b"")

    def _atomic(self) -> Transaction:
        return self.transaction(timeout=60)


class Transaction(_Statements):
    """An open transaction, see ``Database.transaction``."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name, ',"transaction":%d}' % number)
        self._number = number
        self._open = True

    def commit(self) -> None:
        """Keeps what was done. If a constraint refuses it, the transaction stays open."""
        self._finish("sql.commit")
        self._open = False

    def rollback(self) -> None:
        """Drops what was done. Again, or after its end, is harmless."""
        if not self._open:
            return
        self._open = False
        try:
            self._finish("sql.rollback")
        except HostError as error:
            if error.code != "not_found.transaction":
                raise

    def _finish(self, method: str) -> None:
        _ask('"method":"%s","params":{"transaction":%d}}' % (method, self._number), b"")

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            if self._open:
                try:
                    self.commit()
                finally:
                    self.rollback()
            return
        try:
            self.rollback()
        except HostError:
            pass  # The first error says more.

    def _atomic(self) -> Any:
        return _Inside(self)


class _Inside:
    """Work within an open transaction, undone alone if it fails."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def __enter__(self) -> Transaction:
        self._transaction.execute("SAVEPOINT bulkhead_many")
        return self._transaction

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            try:
                self._transaction.execute("ROLLBACK TO bulkhead_many")
            except HostError:
                return  # The first error says more.
        self._transaction.execute("RELEASE bulkhead_many")


def _chunks(encode: Any, rows: list[Any], room: int) -> Iterator[bytes]:
    """The rows as chunks of at most ``room`` bytes."""
    if not rows:
        return
    chunk = encode(rows)
    if len(chunk) <= room:
        yield chunk
        return
    if len(rows) == 1:
        raise HostError("params.size", f"a row of {len(chunk)} bytes; {room} are allowed")
    # Not in halves: in parts of the size that fits if rows are alike.
    step = max(1, min(len(rows) // 2, len(rows) * room // len(chunk) * 9 // 10))
    for at in range(0, len(rows), step):
        yield from _chunks(encode, rows[at : at + step], room)


def open(name: str = "main") -> Database:
    """The database of that name, as the manifest or ``create`` has it."""
    return Database(name)


def connect(name: str = "main", **options: Any) -> Any:
    """A connection in the manner of the DB-API (PEP 249), see ``bulkhead.dbapi``."""
    from .dbapi import connect

    return connect(name, **options)


def databases() -> list[dict[str, Any]]:
    """The app's databases: ``name``, ``bytes``, ``walBytes``, ``declared``."""
    found: list[dict[str, Any]] = _ask('"method":"sql.databases","params":{}}', b"")[0]["databases"]
    return found


def create(name: str) -> Database:
    """Makes a database beyond those of the manifest."""
    _ask('"method":"sql.create","params":{"database":%s}}' % quote(name), b"")
    return Database(name)


_channel: Channel | None = None
_looked = False
_held = False
_choice = allocate_lock()
_mine = _local()


def _short_way() -> Channel | None:
    """This thread's way straight to the worker: the first thread has the socket the app was
    started with, each further one its own, else they share."""
    global _channel, _looked, _held
    with _choice:
        if not _looked:
            number = os.environ.get("BULKHEAD_SQL_FD")
            if number is not None:
                _channel = Channel(int(number))
            _looked = True
        if _channel is not None and _channel.closed:
            _channel = None
        channel = _channel
        if channel is not None and _held:
            channel = channel.another() or channel
        _held = True
    _mine.channel = channel
    return channel


def _meta(timeout: float | None) -> str:
    if timeout is None:
        return "}"
    return ',"meta":{"deadlineMs":%d}}' % max(1, timeout * 1000)


def _ask(text: str, body: bytes) -> tuple[Any, Any, bool]:
    """The result, its body (or the stream of it), and whether it has plain values only."""
    try:
        channel = _mine.channel
    except AttributeError:
        channel = _short_way()
    if channel is not None:
        try:
            message, body, flat = channel.request(text, body)
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
            return message["result"], body, flat
    reply = current().request_text(text, body)
    return reply.result, reply.stream or reply.body, reply.flat
