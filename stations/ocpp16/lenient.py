"""JSON as some firmware writes it, where a strict reader gave up; pure.

Read all the same: control characters within strings, NaN and Infinity, numbers beyond every range, surrogates without
their other half, text that is not UTF-8. A station sends what was not answered for ever.
"""

import json
import math
from typing import Any

MOST_DIGITS = 18


def read_leniently(text: str | bytes) -> Any:
    """Read a JSON document; what is no number becomes null. Raises ValueError where it is none, or too deep."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    try:
        return _writable(
            json.loads(text, strict=False, parse_constant=_nothing, parse_float=_finite, parse_int=_in_range)
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _nothing(_literal: str) -> None:
    """Take NaN and Infinity for nothing."""


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _in_range(digits: str) -> int | float | None:
    return int(digits) if len(digits) <= MOST_DIGITS else _finite(digits)


def _writable(part: Any) -> Any:
    """Replace what cannot be written again: halves of surrogate pairs."""
    if isinstance(part, str):
        return part.encode(errors="replace").decode()
    if isinstance(part, list):
        return [_writable(entry) for entry in part]
    if isinstance(part, dict):
        return {_writable(key): _writable(value) for key, value in part.items()}
    return part
