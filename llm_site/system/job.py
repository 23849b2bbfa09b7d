"""The one backup or restore that runs: how far it is, in a file beside the backups, where every process sees it.

A row would not do: it would be in the backup, and gone after the restore.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from llm_site.system.archive import BackupRefused, Report

EACH_S = 0.5
SILENT_AFTER_S = 120.0  # the largest step between two reports is a commit
BACKUP, RESTORE = "backup", "restore"
RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"


class JobStopped(Exception):
    """Somebody stopped it."""


@dataclass(frozen=True, slots=True)
class Job:
    """The last backup or restore. `doing` is the model at hand, `error` why it failed; `at` is Unix time."""

    kind: str
    file: str
    state: str = RUNNING
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
        """Say whether it goes on; one that is silent for long was killed."""
        return self.state == RUNNING and abs(time.time() - self.at) < SILENT_AFTER_S

    @property
    def is_broken_off(self) -> bool:
        """Say whether it ended without a word."""
        return self.state == RUNNING and not self.is_running


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
    """Show a job before it has begun, once or again. Raises BackupRefused while another runs."""
    with _alone():
        last = last_job()
        is_this = last is not None and (last.kind, last.file, last.total) == (kind, file, 0)
        if last is not None and last.is_running and not is_this:
            raise BackupRefused(_("Another backup or restore is under way: wait for its end, or stop it."))
        _stop_file().unlink(missing_ok=True)
        _save(Job(kind, file))


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time look at the job and announce another."""
    folder = os.open(backup_folder(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def stop_job() -> None:
    """Ask the job that runs to stop, which undoes what it has done so far; one that has not begun is stopped now."""
    _stop_file().touch()
    job = last_job()
    if job is not None and job.state == RUNNING and not job.total:
        _save(replace(job, state=STOPPED))


@contextmanager
def running(kind: str, file: str) -> Iterator[Report]:
    """Give what a job reports with, and keep how it ended. Its `report` raises JobStopped where it is to stop."""
    job = Job(kind, file)
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


def _stop_file() -> Path:
    return backup_folder() / "stop"


def _save(job: Job) -> None:
    part = backup_folder() / "job.json.part"
    part.write_text(json.dumps(asdict(replace(job, at=time.time()))))
    part.replace(part.with_suffix(""))
