"""The backup file: a zip with the rows of each model as JSON lines, a manifest, and the secrets sealed.

`manifest.json` names the version, the installation, the migrations and, for each model, its columns, its number of rows
and the SHA-256 of its lines. `secrets.json` holds what opens the sealed columns, under a passphrase (scrypt, AES-GCM),
and the manifest's keyed hash: who does not know the passphrase cannot change a backup unseen.
"""

import base64
import hashlib
import hmac
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.apps import apps
from django.db import models
from django.utils.translation import gettext as _

from accounts.models import Session
from energy.models import Recording

FORMAT = 1
MANIFEST, SECRETS = "manifest.json", "secrets.json"
LARGEST_MANIFEST = 4 * 2**20
SHORTEST_PASSPHRASE = 10
SCRYPT_COST = 2**15
CHUNK = 2**20

# What a damaged or hostile file makes zipfile and json raise; RuntimeError: encrypted, nested too deep, unknown method.
_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)

Report = Callable[[int, int, str], None]  # rows done, of how many, of which model


class BackupRefused(Exception):
    """A backup cannot be made or restored; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Table:
    """One model in a backup."""

    model: str
    columns: list[str]
    rows: int
    sha256: str

    @property
    def member(self) -> str:
        """Name the file within the zip."""
        return f"{self.model}.jsonl"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `made_at` is ISO 8601; `migrations` are `app.name`."""

    format: int
    version: str
    uid: str
    site_name: str
    made_at: str
    migrations: list[str]
    tables: list[Table]

    @property
    def made(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.made_at)

    @property
    def rows(self) -> int:
        """Count the rows of all models."""
        return sum(table.rows for table in self.tables)

    def count(self, model: str) -> int:
        """Count the rows of one model, `app.model`."""
        return sum(table.rows for table in self.tables if table.model == model)

    def check_types(self) -> None:
        """Raise TypeError or ValueError where something in it is not what it should be."""
        texts = [self.version, self.uid, self.site_name]
        for table in self.tables:
            texts += [table.model, table.sha256]
            if type(table.rows) is not int or table.rows < 0:
                raise TypeError("rows must be a number")
        for names in (self.migrations, *(table.columns for table in self.tables)):
            if not isinstance(names, list):
                raise TypeError("a list was expected")
            texts += names
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a text was expected")
        if not 2000 <= self.made.year < 3000:  # dates at the ends of the calendar have no local time
            raise ValueError(self.made_at)

    def encode(self) -> bytes:
        """Write it as JSON."""
        return json.dumps(asdict(self), indent=1).encode()


def kept_models() -> list[type[models.Model]]:
    """List every model whose rows a backup holds: all but sessions and the flight recorder's many minutes."""
    found = apps.get_models(include_auto_created=True)
    left_out = (Session, Recording)
    return [model for model in found if model._meta.managed and not model._meta.proxy and model not in left_out]


# --- the secrets


def check_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that could be guessed."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        text = _("A passphrase of at least %(count)d characters is needed: it protects the keys in the backup.")
        raise BackupRefused(text % {"count": SHORTEST_PASSPHRASE})


def seal_secrets(secrets: dict[str, Any], passphrase: str) -> dict[str, Any]:
    """Encrypt the secrets under a passphrase. Raises BackupRefused where that is too short."""
    check_passphrase(passphrase)
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_key(passphrase, salt, SCRYPT_COST)).encrypt(nonce, json.dumps(secrets).encode(), None)
    return {"scrypt_n": SCRYPT_COST, "salt": _text(salt), "nonce": _text(nonce), "sealed": _text(sealed)}


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode())


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def manifest_mac(manifest: bytes, secret_key: str) -> str:
    """Return the keyed hash that shows a manifest to be the one that was written."""
    return hmac.new(b"backup:" + secret_key.encode(), manifest, hashlib.sha256).hexdigest()


# --- reading


class Backup:
    """A backup file, open for reading."""

    def __init__(self, path: Path) -> None:
        """Open a file and read its manifest. Raises BackupRefused where it is no backup."""
        try:
            self.zip = zipfile.ZipFile(path)
            self._manifest = self._small(MANIFEST)
            self._secrets = json.loads(self._small(SECRETS))
            raw = json.loads(self._manifest)
            found = raw["format"]
            if found == FORMAT:
                self.manifest = Manifest(**{**raw, "tables": [Table(**table) for table in raw["tables"]]})
                self.manifest.check_types()
        except _UNREADABLE as error:
            text = _("%(file)s is not a backup of a load manager, or it is not whole: %(error)s")
            raise BackupRefused(text % {"file": path.name, "error": error}) from None
        if found != FORMAT:
            text = _("%(file)s was made by a newer version of the load manager: update this one first.")
            raise BackupRefused(text % {"file": path.name})

    def __enter__(self) -> "Backup":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.zip.close()

    def _small(self, name: str) -> bytes:
        if self.zip.getinfo(name).file_size > LARGEST_MANIFEST:
            raise ValueError(f"{name} is too large")
        return self.zip.read(name)

    def open_secrets(self, passphrase: str) -> dict[str, Any]:
        """Decrypt the secrets. Raises BackupRefused for another passphrase or a manifest that was changed."""
        try:
            salt, nonce, sealed = (base64.b64decode(self._secrets[name]) for name in ("salt", "nonce", "sealed"))
            cost = min(int(self._secrets["scrypt_n"]), SCRYPT_COST)
            opened = AESGCM(_key(passphrase, salt, cost)).decrypt(nonce, sealed, None)
            secrets: dict[str, Any] = json.loads(opened)
            is_as_written = hmac.compare_digest(
                manifest_mac(self._manifest, secrets["secret_key"]), self._secrets["manifest_mac"]
            )
        except InvalidTag:
            raise BackupRefused(_("The passphrase is not the one this backup was made with.")) from None
        except _UNREADABLE as error:
            raise BackupRefused(_("The keys in the backup cannot be read: %(error)s") % {"error": error}) from None
        if not is_as_written:
            raise BackupRefused(_("The backup was changed after it was made: use another one."))
        return secrets

    def check_lines(self) -> None:
        """Compare every line with the manifest. Raises BackupRefused where one was lost or changed."""
        for table in self.manifest.tables:
            digest = hashlib.sha256()
            try:
                with self.zip.open(table.member) as member:
                    while chunk := member.read(CHUNK):
                        digest.update(chunk)
            except _UNREADABLE as error:
                raise _damaged(table.model, error) from None
            if digest.hexdigest() != table.sha256:
                raise _damaged(table.model, "SHA-256")


def _damaged(model: str, why: object) -> BackupRefused:
    text = _("The backup is damaged in %(model)s (%(why)s): use another one.")
    return BackupRefused(text % {"model": model, "why": why})
