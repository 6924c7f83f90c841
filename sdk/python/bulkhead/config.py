# SPDX-License-Identifier: Apache-2.0
"""The app's configuration, as the operator set it."""

from __future__ import annotations

from ._connection import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def get() -> dict[str, Any]:
    """The configuration as it is now. Raises HostError."""
    config: dict[str, Any] = current().request("config.get").result["config"]
    return config
