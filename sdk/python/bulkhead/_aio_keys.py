# SPDX-License-Identifier: Apache-2.0
"""``bulkhead.keys`` with await; see there."""

from __future__ import annotations

from . import keys
from ._aio_secrets import _later
from ._errors import HostError
from .keys import PublicKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Union

    from .keys import Verifier

__all__ = [
    "PublicKey",
    "create",
    "delete",
    "get_or_create",
    "list",
    "public_key",
    "rotate",
    "sign",
    "verify",
]


async def create(name: str) -> PublicKey:
    key: PublicKey = await _later(keys._create(name))
    return key


async def get_or_create(name: str) -> PublicKey:
    try:
        return await public_key(name)
    except HostError as error:
        if error.code != "not_found.key":
            raise
    try:
        return await create(name)
    except HostError as error:
        if error.code != "conflict.key":
            raise
    return await public_key(name)  # Somebody else was first.


async def rotate(name: str) -> PublicKey:
    key: PublicKey = await _later(keys._rotate(name))
    return key


async def public_key(name: str, version: int | None = None) -> PublicKey:
    key: PublicKey = await _later(keys._public_key(name, version))
    return key


async def sign(name: str, message: Union[bytes, str]) -> bytes:
    signature: bytes = await _later(keys._sign(name, message))
    return signature


async def verify(
    key: Verifier, message: Union[bytes, str], signature: bytes, version: int | None = None
) -> bool:
    ask = keys._verify(key, message, signature, version)
    return ask is not None and await _later(ask) is True


async def list() -> List[PublicKey]:
    found: List[PublicKey] = await _later(keys._list())
    return found


async def delete(name: str) -> None:
    await _later(keys._delete(name))
