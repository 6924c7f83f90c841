# SPDX-License-Identifier: Apache-2.0
"""What the host says no with."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# docs/PROTOCOL.md, "Errors": area of the code to its JSON-RPC number.
_NUMBERS = {
    "parse": -32700,
    "request": -32600,
    "method": -32601,
    "params": -32602,
    "internal": -32603,
    "permission": -32001,
    "not_found": -32002,
    "conflict": -32003,
    "quota": -32004,
    "overloaded": -32005,
    "deadline": -32006,
    "upstream": -32007,
    "unsupported": -32008,
    "sql": -32010,
    "cancelled": -32800,
}


class HostError(Exception):
    """A request to the host failed.

    ``code`` is the stable word (``quota.storage``), ``number`` the JSON-RPC code, ``retryable``
    whether the same request may succeed later, ``data`` whatever else the host said (SQL errors
    carry ``extended`` and ``offset``).
    """

    def __init__(
        self,
        code: str,
        message: str,
        retryable: bool = False,
        number: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.number = _NUMBERS.get(code.split(".")[0], -32603) if number is None else number
        self.data: dict[str, Any] = {} if data is None else data

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    @classmethod
    def of(cls, error: dict[str, Any]) -> "HostError":
        """The error of a response, as an exception."""
        data = error.get("data") or {}
        number = error.get("code", -32603)
        return cls(
            data.get("code") or _area(number),
            error.get("message", ""),
            bool(data.get("retryable")),
            number,
            data,
        )

    def wire(self) -> dict[str, Any]:
        """The error as a response carries it."""
        data = dict(self.data, code=self.code, retryable=self.retryable)
        return {"code": self.number, "message": self.message, "data": data}


class Disconnected(OSError):
    """The other side wants no more of this body, or is gone."""


def _area(number: int) -> str:
    for area, known in _NUMBERS.items():
        if known == number:
            return area
    return "internal"
