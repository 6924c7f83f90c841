# SPDX-License-Identifier: Apache-2.0
"""The app's secrets: bytes that the host keeps sealed, in versions.

    from bulkhead import secrets

    pepper = secrets.get_or_create("pepper")
    secrets.set("smtp", "hunter2")
    password = secrets.get_text("smtp")

docs/SECRETS.md has limits and errors; ``not_found.secret`` is the common one.
"""

from __future__ import annotations

from ._connection import current
from ._errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Literal, Tuple, Union

    from ._connection import Reply

    Kind = Literal["token", "bytes", "password"]
    # Method, params, body, and how the answer is read: the same for both kinds of caller.
    Ask = Tuple[str, "dict[str, Any]", bytes, "Callable[[Reply], Any]"]

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


class Secret:
    """What is known of a secret but its value.

    ``version`` is the newest (or the one that was asked for), ``versions`` those that are kept,
    ``set_at`` seconds since 1970, ``origin`` "app", "operator" or "generated".
    """

    __slots__ = ("name", "origin", "set_at", "version", "versions")

    def __init__(self, result: dict[str, Any]) -> None:
        self.name: str = result["name"]
        self.version: int = result["version"]
        self.versions: List[int] = result["versions"]
        self.set_at: int = result["setAt"]
        self.origin: str = result["origin"]

    def __repr__(self) -> str:
        return f"<Secret {self.name!r} version {self.version}>"


def get(name: str, version: int | None = None) -> bytes:
    """The value; of an earlier version if one is named."""
    value: bytes = _now(_get(name, version))
    return value


def get_text(name: str, version: int | None = None) -> str:
    """The value as text, which it must be in UTF-8."""
    return get(name, version).decode()


def set(name: str, value: Union[bytes, str]) -> Secret:
    """Keeps a new version, of at most 65,536 bytes. Text is kept as UTF-8."""
    secret: Secret = _now(_set(name, value))
    return secret


def get_or_create(name: str, kind: Kind = "token", length: int | None = None) -> bytes:
    """The value; if there is none, a random one is made. All who ask at once get the same.

    "token" is of base64url characters, "bytes" of any bytes, "password" of letters and digits that
    people can tell apart. ``length`` is 32 (20 for a password) unless given, from 16 to 1,024.
    """
    value: bytes = _now(_get_or_create(name, kind, length))
    return value


def get_or_create_text(name: str, kind: Kind = "token", length: int | None = None) -> str:
    """``get_or_create`` as text."""
    return get_or_create(name, kind, length).decode()


def list() -> List[Secret]:
    """Every secret, without values."""
    secrets: List[Secret] = _now(_list())
    return secrets


def delete(name: str) -> None:
    """Drops all versions."""
    _now(_delete(name))


def _now(ask: Ask) -> Any:
    method, params, body, read = ask
    return read(current().request(method, params, body))


def _get(name: str, version: int | None) -> Ask:
    return "secrets.get", _named(name, version), b"", _value


def _set(name: str, value: Union[bytes, str]) -> Ask:
    return "secrets.set", {"name": name}, as_bytes(value), _secret


def _get_or_create(name: str, kind: str, length: int | None) -> Ask:
    generate: dict[str, Any] = {"kind": kind}
    if length is not None:
        generate["length"] = length
    return "secrets.getOrCreate", {"name": name, "generate": generate}, b"", _value


def _list() -> Ask:
    return "secrets.list", {}, b"", _secrets


def _delete(name: str) -> Ask:
    return "secrets.delete", {"name": name}, b"", _nothing


def _value(reply: Reply) -> bytes:
    return reply.body


def _secret(reply: Reply) -> Secret:
    return Secret(reply.result)


def _secrets(reply: Reply) -> List[Secret]:
    return [Secret(one) for one in reply.result["secrets"]]


def _nothing(reply: Reply) -> None:
    return None


def _named(name: str, version: int | None) -> dict[str, Any]:
    return {"name": name} if version is None else {"name": name, "version": version}


def as_bytes(value: Union[bytes, str]) -> bytes:
    """The bytes of a value or message. Raises HostError ``params.value`` or ``params.text``."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise HostError("params.text", f"text with a lone surrogate: {error.reason}") from None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise HostError("params.value", f"a {type(value).__name__} is neither bytes nor text")
