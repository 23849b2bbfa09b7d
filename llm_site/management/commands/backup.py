"""`manage.py backup FILE`: everything the product knows, in one file."""

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext_noop

from llm_site.system.archive import BackupRefused
from llm_site.system.backup import sealed_secrets, write_backup
from llm_site.system.job import BACKUP, JobStopped, announce_job, running
from llm_site.system.kept_backups import record_backup


class Command(BaseCommand):
    """Write a backup (docs/operation.md)."""

    help = "Write a backup of everything. Asks for a passphrase; a program gives it as one line of standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where to."""
        parser.add_argument("file", help="the file to write")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Write it; one that is there already is replaced when the new one is whole."""
        target = Path(options["file"]).absolute()
        try:
            secrets = sealed_secrets(_passphrase())
            announce_job(BACKUP, target.name)
            with running(BACKUP, target.name) as report:
                manifest = write_backup(target, secrets=secrets, report=report)
        except BackupRefused as error:
            raise CommandError(str(error)) from None
        except JobStopped:
            raise CommandError("it was stopped; nothing was written") from None
        except OSError as error:
            raise CommandError(f"{target}: cannot be written: {error.strerror}") from None
        record_backup(target.name, note=gettext_noop("A backup was made."))
        self.stdout.write(f"{target}: {manifest.rows} rows, {target.stat().st_size} bytes")


def _passphrase() -> str:
    """Ask twice where a person can answer; read one line otherwise."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    given = getpass.getpass("Passphrase for the backup: ")
    if getpass.getpass("Once more: ") != given:
        raise CommandError("the two passphrases differ; nothing was written")
    return given
