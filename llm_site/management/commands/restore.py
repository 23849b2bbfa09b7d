"""`manage.py restore FILE`: a backup in the place of everything that is here now."""

import getpass
import sys
from argparse import SUPPRESS
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext_noop

from accounts.origin import Way, changes_come_by
from llm_site.system.archive import Backup, BackupRefused
from llm_site.system.job import RESTORE, JobStopped, announce_job, running
from llm_site.system.kept_backups import record_backup
from llm_site.system.programs import stopped_for_restore
from llm_site.system.restore import check, finish_restore, restore


class Command(BaseCommand):
    """Restore a backup (docs/operation.md)."""

    help = "Replace everything by a backup, all of it or nothing. Asks for the passphrase of the backup."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to restore."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("file", nargs="?", help="a backup")
        # From the page, which has announced it: who asked, and from where.
        parser.add_argument("--by", help=SUPPRESS)
        parser.add_argument("--from", dest="address", help=SUPPRESS)
        what.add_argument(
            "--finish", action="store_true", help="finish or undo what a restore left that was broken off"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Check it, stop what supervisor runs, restore."""
        if options["finish"]:
            finish_restore()
            return
        path = Path(options["file"])
        passphrase = getpass.getpass("Passphrase: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            if options["by"] is None:
                announce_job(RESTORE, path.name)
            with running(RESTORE, path.name) as report, Backup(path) as backup:
                secrets = check(backup, passphrase)
                with stopped_for_restore(settings.DATA_DIR / "supervisor.sock") as are_started_again:
                    restore(backup, secrets=secrets, report=report)
        except BackupRefused as error:
            raise CommandError(f"nothing was changed: {error}") from None
        except JobStopped:
            raise CommandError("it was stopped; nothing was changed") from None
        way = Way.COMMAND_LINE if options["by"] is None else Way.PAGE
        with changes_come_by(way, who=options["by"] or "", address=options["address"] or None):
            record_backup(path.name, note=gettext_noop("A backup was restored."))
        self.stdout.write(f"{path}: restored, {backup.manifest.rows} rows")
        if not are_started_again:
            self.stdout.write("Start every process of the load manager anew: each still holds the key of before.")
