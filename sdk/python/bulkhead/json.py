# SPDX-License-Identifier: Apache-2.0
"""JSON without the ``json`` package.

Importing ``json`` costs a guest about four milliseconds before its first byte, nearly all of it
for ``re`` and ``enum``. The C accelerator behind it costs a tenth. Where the accelerator is absent
or has changed, the package is used instead, with the same results.

``loads(text)`` raises ValueError for what is no JSON. ``dumps(value)`` writes no spaces and no
escapes beyond the needed ones, and raises ValueError for NaN and infinities, TypeError for what
JSON has not.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

quote: Callable[[str], str]
loads: Callable[[str], Any]
dumps: Callable[[Any], str]


def _refuse(value: object) -> Any:
    raise TypeError(f"a {type(value).__name__} cannot be sent as JSON")


def _accelerated() -> tuple[Any, Any, Any]:
    from _json import encode_basestring, make_encoder, make_scanner

    class Settings:
        strict = True
        object_hook = None
        object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = float

    scan = make_scanner(Settings)  # type: ignore[arg-type]
    encode = make_encoder(
        None, _refuse, encode_basestring, None, ":", ",", False, False, False
    )

    def loads(text: str) -> Any:
        try:
            value, end = scan(text, 0)
        except (StopIteration, SystemError):
            # White space before the value, or no JSON: the package knows how to say which.
            from json import loads as slow

            return slow(text)
        if end != len(text) and text[end:].strip(" \t\r\n"):
            raise ValueError(f"something follows the JSON value at character {end}")
        return value

    def dumps(value: Any) -> str:
        return "".join(encode(value, 0))

    # The accelerator is no public interface: a sample shows whether it is still as we know it.
    sample = '{"a":[1,2.5,null,true,"\\u00e9"]}'
    if dumps(loads(sample)) != sample.replace("\\u00e9", "\u00e9"):
        raise ImportError("the accelerator answers differently")
    return encode_basestring, loads, dumps


def _plain() -> tuple[Any, Any, Any]:
    import json

    encoder = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_refuse
    )
    text_encoder = json.JSONEncoder(ensure_ascii=False)
    return text_encoder.encode, json.loads, encoder.encode


try:
    quote, loads, dumps = _accelerated()
except Exception:
    quote, loads, dumps = _plain()
