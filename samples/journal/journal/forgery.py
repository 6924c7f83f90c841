# SPDX-License-Identifier: Apache-2.0
"""Keeps other sites from writing here through a reader's browser.

The page asks for a token, which another site's page cannot read, and sends it with each write. It is a
keyed hash of who is signed on, so nothing has to be remembered and one person's token is of no use with
another. The key is the app's secret ``csrf``; a new value of it makes every token void.
"""

from __future__ import annotations

from bulkhead import secrets


def token(identity: dict[str, object] | None) -> str:
    """The token of whoever is signed on; strangers share one."""
    from hmac import digest

    who = "" if identity is None else str(identity["id"])
    return digest(secrets.get_or_create("csrf"), who.encode(), "sha256").hex()


def is_forged(environ: dict[str, object]) -> bool:
    """Whether a browser sends this without the token. Programs, which no site can use, need none."""
    # Every browser names the origin of a request that writes; a page cannot leave it out.
    if "HTTP_ORIGIN" not in environ and "HTTP_SEC_FETCH_SITE" not in environ:
        return False
    from hmac import compare_digest

    given = str(environ.get("HTTP_X_JOURNAL_TOKEN", ""))
    return not compare_digest(given.encode(), token(environ["bulkhead.identity"]).encode())
