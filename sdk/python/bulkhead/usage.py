# SPDX-License-Identifier: Apache-2.0
"""What the app used so far, and what it costs."""

from __future__ import annotations

from ._connection import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def get() -> dict[str, Any]:
    """The app's use by meter. Raises HostError."""
    usage: dict[str, Any] = current().request("usage.get").result
    return usage


def cost() -> dict[str, Any]:
    """What this month's use costs so far, in millionths of a currency. Raises HostError."""
    found: dict[str, Any] = current().request("usage.cost").result
    return found
