"""The backups in the data folder: made by the worker, taken in by upload, restored by a process of its own."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from kombu.exceptions import OperationalError

from accounts import audit
from energy.models import Installation
from llm_site.system.archive import Backup, BackupRefused, Manifest
from llm_site.system.backup import sealed_secrets, write_backup
from llm_site.system.job import BACKUP, RESTORE, JobStopped, announce_job, backup_folder, running
from llm_site.system.programs import programs
from llm_site.system.restore import check, check_rows

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.zip")


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup in the folder; `manifest` is None where it cannot be read, `flaw` says why."""

    name: str
    size: int
    manifest: Manifest | None
    flaw: str


def kept_backups() -> list[Kept]:
    """List the backups, the newest first."""
    paths = sorted(backup_folder().glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [_kept(path) for path in paths]


def _kept(path: Path) -> Kept:
    try:
        with Backup(path) as backup:
            return Kept(path.name, path.stat().st_size, backup.manifest, "")
    except BackupRefused as error:
        return Kept(path.name, path.stat().st_size, None, str(error))


def record_backup(name: str, *, note: str) -> None:
    """Keep in the audit trail what was done with a backup; `note` as in `audit.record`."""
    audit.record(Installation.get_solo(), {"backup": (None, name)}, note=note)


def delete_backup(path: Path) -> None:
    """Delete a backup of the folder."""
    path.unlink(missing_ok=True)
    record_backup(path.name, note=gettext_noop("A backup was deleted."))


def backup_path(name: str) -> Path | None:
    """Return the file of a backup of that name; None where there is none."""
    path = backup_folder() / name
    return path if _NAME.fullmatch(name) and path.is_file() else None


@contextmanager
def _written() -> Iterator[None]:
    """Say in a sentence why the data folder could not be written to."""
    try:
        yield
    except OSError as error:
        text = _(
            "The data folder cannot be written to (%(error)s). Nothing was changed or kept, and charging goes on: "
            "make room on its disk, then try again."
        )
        raise BackupRefused(text % {"error": error.strerror or error}) from None


def _new_name(kind: str) -> str:
    """Name a backup like no other: two may come within a second."""
    return f"{kind}-{timezone.now():%Y%m%d-%H%M%S}-{get_random_string(4, 'abcdefghijkmnpqrstuvwxyz')}.zip"


@_written()
def request_backup(*, passphrase: str) -> None:
    """Have the worker make a backup. Raises BackupRefused where it cannot begin."""
    from llm_site.tasks import back_up

    secrets = sealed_secrets(passphrase)
    site = slugify(Installation.get_solo().name) or "site"
    name = _new_name(f"llm-{site}")
    announce_job(BACKUP, name)
    record_backup(name, note=gettext_noop("A backup was asked for."))
    try:
        back_up.apply_async(args=(name, secrets), retry=False)
    except OperationalError:
        with running(BACKUP, name):
            raise BackupRefused(_("The broker is away: no backup can be made now. Try again in a moment.")) from None


def make_backup(name: str, secrets: dict[str, Any]) -> None:
    """Write a backup that was requested; how it ended is kept for the page."""
    try:
        with running(BACKUP, name) as report:
            write_backup(backup_folder() / name, secrets=secrets, report=report)
    except JobStopped:
        logger.info("The backup was stopped")


@_written()
def keep_upload(uploaded: "UploadedFile[Any]") -> str:
    """Take a backup in; returns the name it is kept under. Raises BackupRefused where it is none or finds no room."""
    name = _new_name("uploaded")
    part = backup_folder() / f"{name}.part"
    try:
        with open(part, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            for chunk in uploaded.chunks():
                file.write(chunk)
        with Backup(part) as backup:
            check_rows(backup)
        part.replace(backup_folder() / name)
    finally:
        part.unlink(missing_ok=True)
    return name


@_written()
def request_restore(path: Path, *, passphrase: str, who: str, address: str | None) -> None:
    """Check a backup and start the process that restores it, which keeps who asked from where. Raises BackupRefused."""
    if not can_restore():
        text = _("Here the load manager cannot stop and start its own processes: use `manage.py restore`.")
        raise BackupRefused(text)
    with Backup(path) as backup:
        check(backup, passphrase)
    with open(settings.DATA_DIR / "log" / "restore.log", "ab") as log:
        announce_job(RESTORE, path.name)
        process = subprocess.Popen(
            [sys.executable, "manage.py", "restore", f"--by={who}", f"--from={address or ''}", str(path)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdin is not None
    with process.stdin as line:
        line.write(f"{passphrase}\n".encode())


def can_restore() -> bool:
    """Say whether a supervisor runs that stops and starts the processes round a restore."""
    return bool(programs(settings.DATA_DIR / "supervisor.sock"))
