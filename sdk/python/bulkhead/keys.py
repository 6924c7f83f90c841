# SPDX-License-Identifier: Apache-2.0
"""The app's Ed25519 keys. The host signs; no call gives a private key.

    from bulkhead import keys

    keys.get_or_create("receipts")
    signature = keys.sign("receipts", b"paid")
    keys.verify("receipts", b"paid", signature)    # True
    keys.public_key("receipts").pem                # for others, who verify without the host

docs/SECRETS.md has limits and errors: ``not_found.key``, ``conflict.key``, and
``overloaded.signing`` beyond 1,000 signatures a second.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from ._errors import HostError
from .secrets import _named, _nothing, _now, as_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Union

    from ._connection import Reply
    from .secrets import Ask

    # The name of an own key, or a public key of anybody's.
    Verifier = Union[str, bytes, "PublicKey"]

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

SIGNATURE_BYTES = 64


class PublicKey:
    """The public half of one version of a key.

    ``raw`` is its 32 bytes, ``pem`` a SubjectPublicKeyInfo (RFC 8410), ``jwk`` a dict (RFC 8037).
    ``created_at`` is in seconds since 1970. After ``rotate`` a version has ``can_sign`` False.
    """

    __slots__ = ("algorithm", "can_sign", "created_at", "jwk", "name", "pem", "raw", "version")

    def __init__(self, result: dict[str, Any]) -> None:
        self.name: str = result["name"]
        self.version: int = result["version"]
        self.algorithm: str = result["algorithm"]
        self.created_at: int = result["createdAt"]
        self.can_sign: bool = result["canSign"]
        self.raw: bytes = a2b_base64(result["raw"])
        self.pem: str = result["pem"]
        self.jwk: dict[str, Any] = result["jwk"]

    def __repr__(self) -> str:
        return f"<PublicKey {self.name!r} version {self.version}>"


def create(name: str) -> PublicKey:
    """Makes a key. ``conflict.key`` if there is one of that name."""
    key: PublicKey = _now(_create(name))
    return key


def get_or_create(name: str) -> PublicKey:
    """The newest version of a key; the key is made if there is none."""
    try:
        return public_key(name)
    except HostError as error:
        if error.code != "not_found.key":
            raise
    try:
        return create(name)
    except HostError as error:
        if error.code != "conflict.key":
            raise
    return public_key(name)  # Somebody else was first.


def rotate(name: str) -> PublicKey:
    """Makes a new version, which signs from now on; what earlier ones signed goes on verifying."""
    key: PublicKey = _now(_rotate(name))
    return key


def public_key(name: str, version: int | None = None) -> PublicKey:
    """The newest version of a key, or the one that is named."""
    key: PublicKey = _now(_public_key(name, version))
    return key


def sign(name: str, message: Union[bytes, str]) -> bytes:
    """The 64 bytes of signature over a message, which must fit one frame; text is UTF-8."""
    signature: bytes = _now(_sign(name, message))
    return signature


def verify(
    key: Verifier, message: Union[bytes, str], signature: bytes, version: int | None = None
) -> bool:
    """Whether the signature is one of the key over the message.

    ``key`` is the name of one of the app's keys, any version of which will do unless ``version``
    says which; or a public key of anybody's, as its 32 bytes or a PublicKey.
    """
    ask = _verify(key, message, signature, version)
    return ask is not None and _now(ask) is True


def list() -> List[PublicKey]:
    """Every version of every key."""
    keys: List[PublicKey] = _now(_list())
    return keys


def delete(name: str) -> None:
    """Drops all versions: nothing verifies by that name any more."""
    _now(_delete(name))


def _create(name: str) -> Ask:
    return "keys.create", {"name": name}, b"", _key


def _rotate(name: str) -> Ask:
    return "keys.rotate", {"name": name}, b"", _key


def _public_key(name: str, version: int | None) -> Ask:
    return "keys.publicKey", _named(name, version), b"", _key


def _sign(name: str, message: Union[bytes, str]) -> Ask:
    return "keys.sign", {"name": name}, as_bytes(message), _signature


def _verify(
    key: Verifier, message: Union[bytes, str], signature: bytes, version: int | None
) -> Ask | None:
    """None for a signature of another length: it is none, and would shift the border in the body."""
    if isinstance(key, str):
        params = _named(key, version)
    elif version is not None:
        raise HostError("params.value", "a version goes with the name of a key")
    else:
        raw = key.raw if isinstance(key, PublicKey) else as_bytes(key)
        params = {"publicKey": b2a_base64(raw, newline=False).decode()}
    if len(signature) != SIGNATURE_BYTES:
        return None
    return "keys.verify", params, as_bytes(signature) + as_bytes(message), _valid


def _list() -> Ask:
    return "keys.list", {}, b"", _keys


def _delete(name: str) -> Ask:
    return "keys.delete", {"name": name}, b"", _nothing


def _key(reply: Reply) -> PublicKey:
    return PublicKey(reply.result)


def _keys(reply: Reply) -> List[PublicKey]:
    return [PublicKey(one) for one in reply.result["keys"]]


def _signature(reply: Reply) -> bytes:
    return reply.body


def _valid(reply: Reply) -> bool:
    return reply.result["valid"] is True
