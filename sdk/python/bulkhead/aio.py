# SPDX-License-Identifier: Apache-2.0
"""The host calls for coroutines, within ``bulkhead.serve_asgi``.

    from bulkhead import aio

    db = aio.open("main")
    rows = await db.query("SELECT id, title FROM note")
    async with db.transaction() as tx:
        await tx.execute("UPDATE …")
    async for row in db.stream("SELECT …"):
        …

A statement runs in a thread, so that the loop goes on: the threads are kept, and one statement
costs a hop more than ``bulkhead.sql``, which a coroutine may use too where that matters more.

``aio.secrets`` and ``aio.keys`` are ``bulkhead.secrets`` and ``bulkhead.keys`` with await.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from . import sql
from ._aio import current
from ._sqlcodec import Row, Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncIterator, Callable, Iterable, Sequence

    from . import _aio_keys as keys
    from . import _aio_secrets as secrets
    from ._connection import Reply
    from ._sqlcodec import Params, Value

__all__ = [
    "Database",
    "Transaction",
    "config",
    "cost",
    "keys",
    "log",
    "open",
    "request",
    "secrets",
    "usage",
]

THREADS = 16
"""Statements under way at once."""

_pool: ThreadPoolExecutor | None = None


async def _in_thread(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(THREADS, "bulkhead-sql")
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, partial(call, *args, **options))


class _Statements:
    """``bulkhead.sql`` with await; see there."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.name: str = inner.name

    async def query(self, sql: str, params: Params = (), timeout: float | None = None) -> Rows:
        rows: Rows = await _in_thread(self._inner.query, sql, params, timeout)
        return rows

    async def stream(
        self, sql: str, params: Params = (), timeout: float | None = None
    ) -> AsyncIterator[Row]:
        pages = self._inner._pages(sql, params, timeout)
        try:
            while True:
                page = await _in_thread(next, pages, None)
                if page is None:
                    return
                for row in page:
                    yield row
        finally:
            await _in_thread(pages.close)

    async def execute(
        self, sql: str, params: Params = (), timeout: float | None = None
    ) -> sql.Outcome:
        outcome: Any = await _in_thread(self._inner.execute, sql, params, timeout)
        return outcome  # type: ignore[no-any-return]

    async def batch(
        self, statements: Iterable[sql.Statement], timeout: float | None = None
    ) -> list[sql.Outcome | Rows]:
        outcomes: Any = await _in_thread(self._inner.batch, list(statements), timeout)
        return outcomes  # type: ignore[no-any-return]

    async def execute_many(
        self, sql: str, rows: Iterable[Sequence[Value]], timeout: float | None = None
    ) -> sql.Outcome:
        outcome: Any = await _in_thread(self._inner.execute_many, sql, list(rows), timeout)
        return outcome  # type: ignore[no-any-return]


class Database(_Statements):
    """One database of the app."""

    def transaction(self, mode: str = "write", timeout: float | None = None) -> Transaction:
        """``async with db.transaction() as tx``: commits at the end, rolls back if it raises."""
        return Transaction(self._inner, mode, timeout)


class Transaction(_Statements):
    """An open transaction, see ``bulkhead.sql``."""

    def __init__(self, database: sql.Database, mode: str, timeout: float | None) -> None:
        super().__init__(database)
        self._begin = partial(database.transaction, mode, timeout)

    async def __aenter__(self) -> Transaction:
        self._inner = await _in_thread(self._begin)
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await _in_thread(self._inner.__exit__, *raised)

    async def commit(self) -> None:
        await _in_thread(self._inner.commit)

    async def rollback(self) -> None:
        await _in_thread(self._inner.rollback)


def open(name: str = "main") -> Database:
    """The database of that name, as the manifest has it."""
    return Database(sql.open(name))


async def request(
    method: str,
    params: dict[str, Any] | None = None,
    body: bytes = b"",
    timeout: float | None = None,
) -> Reply:
    """Asks the host anything. Raises HostError if it says no."""
    return await current().ask(method, params, body, timeout)


async def config() -> dict[str, Any]:
    """The configuration as it is now."""
    found: dict[str, Any] = (await request("config.get")).result["config"]
    return found


async def usage() -> dict[str, Any]:
    """What the app used so far, by meter."""
    found: dict[str, Any] = (await request("usage.get")).result
    return found


async def cost() -> dict[str, Any]:
    """What this month's use costs so far, in millionths of a currency."""
    found: dict[str, Any] = (await request("usage.cost")).result
    return found


async def log(level: str, message: str, **fields: Any) -> None:
    """Writes one entry to the app's log; it is kept when this returns."""
    params: dict[str, Any] = {"level": level, "message": message}
    if fields:
        params["fields"] = fields
    await request("log.write", params)


def __getattr__(name: str) -> Any:
    if name in ("keys", "secrets"):
        found = __import__("bulkhead._aio_" + name, None, None, ("*",))
        globals()[name] = found
        return found
    raise AttributeError(f"module 'bulkhead.aio' has no attribute {name!r}")
