"""Write everything the product knows into one file, from one moment, while it works on."""

import hashlib
import json
import os
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, models
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from energy.models import Installation
from exports.one_moment import one_moment
from llm_site.system.archive import (
    FORMAT,
    MANIFEST,
    SECRETS,
    Manifest,
    Report,
    Table,
    kept_models,
    manifest_mac,
    seal_secrets,
)
from llm_site.system.identity import uid

ROWS_AT_ONCE = 2000
COMPRESSION = 3  # beyond it, a tenth less for twice the time
LARGEST_FILE = 2**18


def sealed_secrets(passphrase: str) -> dict[str, Any]:
    """Seal what else a backup needs: the secret key, and the TLS files of the data folder.

    Raises BackupRefused for a short passphrase.
    """
    folder = settings.DATA_DIR / "tls"
    files = {path.name: path.read_text() for path in sorted(folder.glob("*")) if _is_small_file(path)}
    return seal_secrets({"secret_key": settings.SECRET_KEY, "tls": files}, passphrase)


def _is_small_file(path: Path) -> bool:
    return path.suffix in (".pem", ".key") and path.is_file() and path.stat().st_size <= LARGEST_FILE


def write_backup(target: Path, *, secrets: dict[str, Any], report: Report) -> Manifest:
    """Write a backup; `target` is there when all of it is. `secrets`: of `sealed_secrets`.

    What `report` raises stops it, and leaves nothing behind.
    """
    own_uid = uid()
    part = target.with_name(f"{target.name}.part")
    try:
        with open(part, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as archive, one_moment():
                manifest = _write(archive, own_uid, secrets, report)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _write(archive: zipfile.ZipFile, own_uid: str, secrets: dict[str, Any], report: Report) -> Manifest:
    kept = kept_models()
    total = sum(model._base_manager.count() for model in kept)
    tables: list[Table] = []
    done = 0
    for model in kept:
        tables.append(_write_table(archive, model, done, total, report))
        done += tables[-1].rows
    installation = Installation.objects.first() or Installation()
    applied = MigrationRecorder(connection).applied_migrations()
    manifest = Manifest(
        format=FORMAT,
        version=settings.VERSION,
        uid=own_uid,
        site_name=installation.name,
        made_at=timezone.now().isoformat(),
        migrations=sorted(".".join(name) for name in applied),
        tables=tables,
    )
    encoded = manifest.encode()
    archive.writestr(MANIFEST, encoded)
    archive.writestr(SECRETS, json.dumps({**secrets, "manifest_mac": manifest_mac(encoded, settings.SECRET_KEY)}))
    return manifest


def _write_table(archive: zipfile.ZipFile, model: type[models.Model], done: int, total: int, report: Report) -> Table:
    """Write one model's rows, a line each, in the order of their keys."""
    name = model._meta.label_lower
    columns = [field.attname for field in model._meta.concrete_fields]
    digest, rows = hashlib.sha256(), 0
    report(done, total, name)
    with archive.open(f"{name}.jsonl", "w", force_zip64=True) as member:
        for row in model._base_manager.order_by("pk").values_list(*columns).iterator(chunk_size=ROWS_AT_ONCE):
            line = json.dumps(row, separators=(",", ":"), default=_plain).encode() + b"\n"
            digest.update(line)
            member.write(line)
            rows += 1
            if rows % ROWS_AT_ONCE == 0:
                report(done + rows, total, name)
    return Table(name, columns, rows, digest.hexdigest())


def _plain(value: object) -> str:
    """Write what JSON has no word for."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a backup cannot hold {type(value).__name__} yet")
