# SPDX-License-Identifier: Apache-2.0
"""The signature of an export: Ed25519 over the SHA-256 of the file, with the app's key ``export``.

Over the digest, because what the host signs must fit one message and a journal need not. To check one:

    curl -D head -o journal.json http://journal.localhost:8080/api/export
    curl -o export.pem http://journal.localhost:8080/api/export/key
    sed -n 's/^x-signature: *//Ip' head | tr -d '\\r' | base64 -d > signature
    openssl dgst -sha256 -binary -out digest journal.json
    openssl pkeyutl -verify -pubin -inkey export.pem -rawin -in digest -sigfile signature
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha256

from bulkhead import HostError, keys

_KEY = "export"


def headers(body: bytes) -> list[tuple[str, str]]:
    """The file's signature, and its digest (RFC 9530) for those who only want to know it is whole."""
    digest = sha256(body).digest()
    try:
        signature = keys.sign(_KEY, digest)
    except HostError as error:
        if error.code != "not_found.key":
            raise
        keys.get_or_create(_KEY)
        signature = keys.sign(_KEY, digest)
    return [
        ("X-Signature", _base64(signature)),
        ("Content-Digest", f"sha-256=:{_base64(digest)}:"),
    ]


def public_key() -> str:
    """The key that checks it, as PEM."""
    return keys.get_or_create(_KEY).pem


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
