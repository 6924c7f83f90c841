# SPDX-License-Identifier: Apache-2.0
"""The DB-API 2.0 (PEP 249) over ``bulkhead.sql``.

    connection = bulkhead.sql.connect("main")
    cursor = connection.cursor()
    cursor.execute("INSERT INTO note (title) VALUES (?)", ("first",))
    connection.commit()

As with the ``sqlite3`` module a statement that writes begins a transaction, which ``commit`` or
``rollback`` ends. The host ends it too: after ``timeout`` seconds, 5 unless said otherwise. With
``autocommit=True`` each statement stands alone, and nobody waits for anybody.
"""

from __future__ import annotations

from . import sql
from ._errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from ._sqlcodec import Params, Value

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"


class Warning(Exception):  # noqa: A001 - PEP 249 names it so
    pass


class Error(Exception):
    """``code`` and ``data`` are those of the HostError behind it."""

    code = ""
    data: dict[str, Any] = {}


class InterfaceError(Error):
    pass


class DatabaseError(Error):
    pass


class DataError(DatabaseError):
    pass


class OperationalError(DatabaseError):
    pass


class IntegrityError(DatabaseError):
    pass


class InternalError(DatabaseError):
    pass


class ProgrammingError(DatabaseError):
    pass


class NotSupportedError(DatabaseError):
    pass


_KINDS = {
    "conflict": IntegrityError,
    "params": ProgrammingError,
    "permission": NotSupportedError,
    "unsupported": NotSupportedError,
    "internal": InternalError,
}
_READS = ("SELECT", "PRAGMA", "EXPLAIN", "VALUES", "WITH")
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


def _raised(error: HostError) -> Error:
    kind: type[Error] = _KINDS.get(error.code.split(".")[0], OperationalError)
    if error.code == "sql.error":
        kind = OperationalError
    elif error.code in ("sql.mismatch", "sql.too_large"):
        kind = DataError
    made = kind(error.message)
    made.code, made.data = error.code, error.data
    return made


class Connection:
    """One transaction at a time on one database. For one thread at a time."""

    Warning, Error, InterfaceError, DatabaseError = Warning, Error, InterfaceError, DatabaseError
    DataError, OperationalError, IntegrityError = DataError, OperationalError, IntegrityError
    InternalError, ProgrammingError = InternalError, ProgrammingError
    NotSupportedError = NotSupportedError

    def __init__(self, name: str, autocommit: bool, timeout: float | None) -> None:
        self.autocommit = autocommit
        self._database = sql.open(name)
        self._timeout = timeout
        self._transaction: sql.Transaction | None = None
        self._closed = False

    @property
    def in_transaction(self) -> bool:
        return self._transaction is not None

    def cursor(self) -> Cursor:
        self._check()
        return Cursor(self)

    def execute(self, statement: str, params: Params = ()) -> Cursor:
        """A cursor that has executed the statement."""
        return self.cursor().execute(statement, params)

    def executemany(self, statement: str, rows: Sequence[Sequence[Value]]) -> Cursor:
        return self.cursor().executemany(statement, rows)

    def commit(self) -> None:
        self._end("commit")

    def rollback(self) -> None:
        self._end("rollback")

    def close(self) -> None:
        """Rolls back what was not committed."""
        if not self._closed:
            self.rollback()
            self._closed = True

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.commit()
        else:
            self.rollback()

    def _end(self, how: str) -> None:
        self._check()
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        try:
            getattr(transaction, how)()
        except HostError as error:
            # A commit that a deferred constraint refuses leaves the transaction open.
            if error.code.startswith("conflict"):
                self._transaction = transaction
            raise _raised(error) from error

    def _place(self, statement: str) -> Any:
        """Where the statement runs."""
        self._check()
        if self._transaction is not None:
            return self._transaction
        if self.autocommit or not _writes(statement):
            return self._database
        self._transaction = self._database.transaction(timeout=self._timeout)
        return self._transaction

    def _check(self) -> None:
        if self._closed:
            raise ProgrammingError("the connection is closed")


class Cursor:
    """What one statement gave."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._rows: list[Any] = []
        self._at = 0
        self._closed = False

    def execute(self, statement: str, params: Params = ()) -> Cursor:
        self._check()
        try:
            rows = self.connection._place(statement).query(statement, params)
        except HostError as error:
            raise _raised(error) from error
        self._rows, self._at = rows, 0
        self.description = [(name, *(None,) * 6) for name in rows.columns] or None
        self.rowcount = -1 if rows.changes is None else rows.changes
        if rows.last_insert_row_id is not None:
            self.lastrowid = rows.last_insert_row_id
        return self

    def executemany(self, statement: str, rows: Sequence[Sequence[Value]]) -> Cursor:
        self._check()
        try:
            outcome = self.connection._place(statement).execute_many(statement, rows)
        except HostError as error:
            raise _raised(error) from error
        self._rows, self._at, self.description = [], 0, None
        self.rowcount, self.lastrowid = outcome
        return self

    def fetchone(self) -> Any:
        self._check()
        if self._at >= len(self._rows):
            return None
        self._at += 1
        return self._rows[self._at - 1]

    def fetchmany(self, size: int | None = None) -> list[Any]:
        self._check()
        count = self.arraysize if size is None else size
        rows = self._rows[self._at : self._at + count]
        self._at += len(rows)
        return rows

    def fetchall(self) -> list[Any]:
        self._check()
        rows, self._at = self._rows[self._at :], len(self._rows)
        return rows

    def close(self) -> None:
        self._closed = True
        self._rows = []

    def setinputsizes(self, sizes: object) -> None:
        """Nothing: SQLite has no sizes."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing: SQLite has no sizes."""

    def __iter__(self) -> Iterator[Any]:
        while True:
            row = self.fetchone()
            if row is None:
                return
            yield row

    def _check(self) -> None:
        if self._closed:
            raise ProgrammingError("the cursor is closed")
        self.connection._check()


def _writes(statement: str) -> bool:
    """Whether the statement may write; a doubt is a yes, which costs a transaction."""
    text = statement.upper()
    first = text.lstrip(" \t\r\n(;")
    if not first.startswith(_READS):
        return True
    return first.startswith("WITH") and any(word in text for word in _WRITES)


def connect(
    name: str = "main", autocommit: bool = False, timeout: float | None = None
) -> Connection:
    """Opens the app's database of that name; ``timeout`` of a transaction in seconds."""
    return Connection(name, autocommit, timeout)


def _type(*kinds: type) -> frozenset[type]:
    return frozenset(kinds)


STRING = _type(str)
BINARY = _type(bytes)
NUMBER = _type(int, float)
DATETIME = _type(str)
ROWID = _type(int)
Binary = bytes


def Date(year: int, month: int, day: int) -> str:
    """SQLite has no dates; this is the text its functions read."""
    return f"{year:04}-{month:02}-{day:02}"


def Time(hour: int, minute: int, second: int) -> str:
    return f"{hour:02}:{minute:02}:{second:02}"


def Timestamp(year: int, month: int, day: int, hour: int, minute: int, second: int) -> str:
    return f"{Date(year, month, day)} {Time(hour, minute, second)}"


def _from_ticks(ticks: float) -> Any:
    from time import localtime

    return localtime(ticks)


def DateFromTicks(ticks: float) -> str:
    return Date(*_from_ticks(ticks)[:3])


def TimeFromTicks(ticks: float) -> str:
    return Time(*_from_ticks(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> str:
    return Timestamp(*_from_ticks(ticks)[:6])
