"""What must not be kept of a message: passwords and keys; pure."""

import re
from typing import Any

import orjson

HIDDEN = "(hidden)"
_SECRET_KEY = re.compile(r"authorizationkey|passw|passphrase|psk|secret|token", re.IGNORECASE)
_ADDRESS = re.compile(
    r"^(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^/?]*@)?(?P<place>[^?]*)(?P<query>\?.*)?$", re.I | re.S
)


def without_secrets(part: Any) -> Any:
    """Blank what must not be kept: values of secret configuration keys, and user, password and query of addresses."""
    if isinstance(part, dict):
        kept = {name: without_secrets(value) for name, value in part.items()}
        if part.get("value") and _SECRET_KEY.search(str(part.get("key", ""))):
            kept["value"] = HIDDEN
        return kept
    if isinstance(part, list):
        return [without_secrets(value) for value in part]
    address = _ADDRESS.match(part) if isinstance(part, str) else None
    if address is None:
        return part
    user, query = (HIDDEN + "@" if address["user"] else ""), ("?" + HIDDEN if address["query"] else "")
    return f"{address['scheme']}{user}{address['place']}{query}"


def frame_without_secrets(text: str) -> str:
    """Blank the secrets of a frame as it went over the wire; one that may hold some and cannot be read is left out."""
    if not _SECRET_KEY.search(text) and "://" not in text:
        return text
    try:
        return orjson.dumps(without_secrets(orjson.loads(text))).decode()
    except (orjson.JSONDecodeError, RecursionError):
        return HIDDEN
