"""What must not be kept of a message: passwords and keys; pure."""

import re
from typing import Any

import orjson

HIDDEN = "(hidden)"
MAY_BE_ADDRESS = ("://", ":\\/", "\\u")  # as it is, with escaped slashes, or with whatever else escaped
_SECRET_KEY = re.compile(r"authorizationkey|passw|passphrase|psk|secret|token", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_USER = re.compile(r"([a-z][a-z0-9+.-]*://)\S*@", re.IGNORECASE)
_PLACE = re.compile(r"(?P<user>[^/?]*@)?(?P<place>[^?@]*)(?P<query>\?[^@]*)?", re.DOTALL)


def without_secrets(part: Any) -> Any:
    """Blank what must not be kept: values of secret keys, and user, password and query of addresses.

    What stands in a string as JSON is looked through as well.
    """
    if isinstance(part, dict):
        kept = {name: _value_without_secrets(name, value) for name, value in part.items()}
        if part.get("value") and _SECRET_KEY.search(str(part.get("key", ""))):
            kept["value"] = HIDDEN
        return kept
    if isinstance(part, list):
        return [without_secrets(value) for value in part]
    return _text_without_secrets(part) if isinstance(part, str) else part


def _value_without_secrets(name: str, value: Any) -> Any:
    is_secret = value and value is not True and _SECRET_KEY.search(name)
    return HIDDEN if is_secret else without_secrets(value)


def _text_without_secrets(text: str) -> str:
    if text.lstrip()[:1] in ("{", "["):
        return frame_without_secrets(text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text
    address = _PLACE.fullmatch(text, scheme.end())
    if address is None:  # an @ elsewhere than before the host: a password typed as it is, with / or ? in it
        return scheme[0] + HIDDEN
    user, query = (HIDDEN + "@" if address["user"] else ""), ("?" + HIDDEN if address["query"] else "")
    return f"{scheme[0]}{user}{address['place']}{query}"


def sentence_without_secrets(text: str) -> str:
    """Blank user and password of the addresses in a sentence."""
    return _USER.sub(rf"\1{HIDDEN}@", text)


def frame_without_secrets(text: str) -> str:
    """Blank the secrets of a frame as it went over the wire; one that may hold some and cannot be read is left out."""
    if not _SECRET_KEY.search(text) and not any(sign in text for sign in MAY_BE_ADDRESS):
        return text
    try:
        return orjson.dumps(without_secrets(orjson.loads(text))).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return HIDDEN
