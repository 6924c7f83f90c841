# SPDX-License-Identifier: Apache-2.0
"""What a Python guest of Bulkhead uses.

    import bulkhead

    def app(environ, start_response):
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"hello\\n"]

    bulkhead.serve(app)

Nothing is imported before it is needed: a guest's first byte waits for every import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import aio as aio
    from . import config as config
    from . import json as json
    from . import keys as keys
    from . import log as log
    from . import secrets as secrets
    from . import sql as sql
    from . import usage as usage
    from ._asgi import serve_asgi as serve_asgi
    from ._connection import Connection as Connection
    from ._connection import Reply as Reply
    from ._connection import Request as Request
    from ._connection import current as connection
    from ._errors import Disconnected as Disconnected
    from ._errors import HostError as HostError
    from ._wsgi import serve as serve

__version__ = "0.1.0"
__all__ = [
    "Connection",
    "Disconnected",
    "HostError",
    "Reply",
    "Request",
    "aio",
    "config",
    "connection",
    "json",
    "keys",
    "log",
    "secrets",
    "serve",
    "serve_asgi",
    "sql",
    "usage",
]

# name: (module, attribute or "" for the module itself)
_WHERE = {
    "Connection": ("_connection", "Connection"),
    "Reply": ("_connection", "Reply"),
    "Request": ("_connection", "Request"),
    "connection": ("_connection", "current"),
    "Disconnected": ("_errors", "Disconnected"),
    "HostError": ("_errors", "HostError"),
    "aio": ("aio", ""),
    "config": ("config", ""),
    "json": ("json", ""),
    "keys": ("keys", ""),
    "log": ("log", ""),
    "secrets": ("secrets", ""),
    "serve": ("_wsgi", "serve"),
    "serve_asgi": ("_asgi", "serve_asgi"),
    "sql": ("sql", ""),
    "usage": ("usage", ""),
}


def __getattr__(name: str) -> object:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'bulkhead' has no attribute {name!r}")
    module = __import__("bulkhead." + where[0], None, None, ("*",))
    found = getattr(module, where[1]) if where[1] else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
