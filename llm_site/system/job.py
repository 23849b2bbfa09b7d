"""The one backup or restore that runs: how far it is, in a file beside the backups, where every process sees it.

A row would not do: it would be in the backup, and gone after the restore. A job is announced, then begun, perhaps by
another process, which holds a lock until its end: the system lets go of it however that process ends.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from llm_site.system.archive import BackupRefused, Report

EACH_S = 0.5
BEGUN_WITHIN_S = 120.0  # whoever is to begin it may have other work first
BACKUP, RESTORE = "backup", "restore"
ANNOUNCED, RUNNING, DONE, FAILED, STOPPED = "announced", "running", "done", "failed", "stopped"


class JobStopped(Exception):
    """Somebody stopped it."""


@dataclass(frozen=True, slots=True)
class Job:
    """The last backup or restore. `doing` is the model at hand, `error` why it failed; `at` is Unix time."""

    kind: str
    file: str
    state: str = ANNOUNCED
    done: int = 0
    total: int = 0
    doing: str = ""
    error: str = ""
    at: float = 0.0

    @property
    def percent(self) -> int:
        """How far it is."""
        return 100 * self.done // self.total if self.total else 0

    @property
    def is_running(self) -> bool:
        """Say whether it goes on, or is about to begin."""
        if self.state == ANNOUNCED:
            return abs(time.time() - self.at) < BEGUN_WITHIN_S
        return self.state == RUNNING and _is_locked()

    @property
    def is_broken_off(self) -> bool:
        """Say whether it ended without a word."""
        return self.state in (ANNOUNCED, RUNNING) and not self.is_running


def backup_folder() -> Path:
    """Return where backups are kept, nobody else's to read."""
    folder = Path(settings.DATA_DIR) / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def last_job() -> Job | None:
    """Return the job that runs, or ran last; None where none ever did."""
    try:
        return Job(**json.loads((backup_folder() / "job.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def announce_job(kind: str, file: str) -> None:
    """Show a job before it has begun. Raises BackupRefused while another is announced or runs."""
    refused = BackupRefused(_("Another backup or restore is under way: wait for its end, or stop it."))
    try:
        with _locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
            last = last_job()
            if last is not None and last.state == ANNOUNCED and last.is_running:
                raise refused
            _stop_file().unlink(missing_ok=True)
            _save(Job(kind, file))
    except BlockingIOError:
        raise refused from None


def stop_job() -> None:
    """Ask the job that runs to stop, which undoes what it has done so far; one that has not begun is stopped now."""
    _stop_file().touch()
    with suppress(BlockingIOError), _locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
        _stop_file().unlink()
        job = last_job()
        if job is not None and job.state == ANNOUNCED:
            _save(replace(job, state=STOPPED))


@contextmanager
def running(kind: str, file: str) -> Iterator[Report]:
    """Begin a job that was announced; give what it reports with, and keep how it ended.

    `report` raises JobStopped where it is to stop; so does this where it was stopped before, or has begun before.
    """
    with _locked(fcntl.LOCK_EX):
        job = last_job()
        if job is None or (job.kind, job.file, job.state) != (kind, file, ANNOUNCED):
            raise JobStopped
        with _reported(Job(kind, file, RUNNING)) as report:
            yield report


@contextmanager
def _reported(job: Job) -> Iterator[Report]:
    _save(job)

    def report(done: int, total: int, doing: str) -> None:
        nonlocal job
        if _stop_file().exists():
            raise JobStopped
        if abs(time.time() - job.at) >= EACH_S or not job.at:
            job = replace(job, done=done, total=total, doing=doing, at=time.time())
            _save(job)

    try:
        yield report
    except JobStopped:
        _save(replace(job, state=STOPPED))
        raise
    except BaseException as error:
        _save(replace(job, state=FAILED, error=str(error) or type(error).__name__))
        raise
    finally:
        _stop_file().unlink(missing_ok=True)
    _save(replace(job, state=DONE, done=job.total))


@contextmanager
def _locked(how: int) -> Iterator[None]:
    """Hold the lock of a job. Raises BlockingIOError where another holds it and this is not to wait."""
    lock = os.open(backup_folder() / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _is_locked() -> bool:
    try:
        with _locked(fcntl.LOCK_SH | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True


def _stop_file() -> Path:
    return backup_folder() / "stop"


def _save(job: Job) -> None:
    part = backup_folder() / "job.json.part"
    part.write_text(json.dumps(asdict(replace(job, at=time.time()))))
    part.replace(part.with_suffix(""))
