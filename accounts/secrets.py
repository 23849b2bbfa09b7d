"""Secrets at rest: keyed hashes for what is only compared, sealing for what must be read again."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet
from django.conf import settings


def keyed_hash(secret: str) -> str:
    """Return the HMAC-SHA-256 of a secret (hex); cheap, so that a storm of reconnecting stations can be checked."""
    return hmac.new(settings.SECRET_KEY.encode(), secret.encode(), hashlib.sha256).hexdigest()


def matches(secret: str, kept_hash: str) -> bool:
    """Compare a secret with its keyed hash in constant time."""
    return hmac.compare_digest(keyed_hash(secret), kept_hash)


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"seal:" + settings.SECRET_KEY.encode()).digest()))


def seal(secret: str) -> str:
    """Encrypt a secret with the key of this installation."""
    return _fernet().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Decrypt what `seal` made; raises cryptography.fernet.InvalidToken under another key."""
    return _fernet().decrypt(sealed.encode()).decode()
