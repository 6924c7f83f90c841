# SPDX-License-Identifier: Apache-2.0
"""Lines for the app's log that carry a level and fields.

What is printed goes to the log too; this is for what should be found again.
"""

from __future__ import annotations

from ._connection import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def write(level: str, message: str, **fields: Any) -> None:
    """Writes one entry; it is kept when this returns. Raises HostError."""
    params: dict[str, Any] = {"level": level, "message": message}
    if fields:
        params["fields"] = fields
    current().request("log.write", params)


def debug(message: str, **fields: Any) -> None:
    write("debug", message, **fields)


def info(message: str, **fields: Any) -> None:
    write("info", message, **fields)


def warning(message: str, **fields: Any) -> None:
    write("warning", message, **fields)


def error(message: str, **fields: Any) -> None:
    write("error", message, **fields)
