# SPDX-License-Identifier: Apache-2.0
"""``bulkhead.secrets`` with await; see there."""

from __future__ import annotations

from . import secrets
from ._aio import current
from .secrets import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Union

    from .secrets import Ask, Kind

__all__ = [
    "Secret",
    "delete",
    "get",
    "get_or_create",
    "get_or_create_text",
    "get_text",
    "list",
    "set",
]


async def _later(ask: Ask) -> Any:
    method, params, body, read = ask
    return read(await current().ask(method, params, body))


async def get(name: str, version: int | None = None) -> bytes:
    value: bytes = await _later(secrets._get(name, version))
    return value


async def get_text(name: str, version: int | None = None) -> str:
    return (await get(name, version)).decode()


async def set(name: str, value: Union[bytes, str]) -> Secret:
    secret: Secret = await _later(secrets._set(name, value))
    return secret


async def get_or_create(name: str, kind: Kind = "token", length: int | None = None) -> bytes:
    value: bytes = await _later(secrets._get_or_create(name, kind, length))
    return value


async def get_or_create_text(
    name: str, kind: Kind = "token", length: int | None = None
) -> str:
    return (await get_or_create(name, kind, length)).decode()


async def list() -> List[Secret]:
    found: List[Secret] = await _later(secrets._list())
    return found


async def delete(name: str) -> None:
    await _later(secrets._delete(name))
