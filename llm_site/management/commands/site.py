"""`manage.py site apply FILE` and `manage.py site dump [FILE]`: a whole site as one file."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from llm_site.site_file.apply import apply_site
from llm_site.site_file.document import SiteFileError
from llm_site.site_file.dump import dump_site

STANDARD_INPUT = "-"


class Command(BaseCommand):
    """Apply or write a site file (docs/site-file.md)."""

    help = "Apply a site file, or write the site that is there as one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one of two words: apply or dump."""
        actions = parser.add_subparsers(dest="action", required=True)
        apply = actions.add_parser("apply", help="make the site what a file says, all of it or nothing")
        apply.add_argument("file", help="a site file; - is standard input")
        dump = actions.add_parser("dump", help="write the site as a file")
        dump.add_argument("file", nargs="?", help="where to; left out: standard output")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Do what was asked; raises CommandError with every problem of a file."""
        if "energy_installation" not in connection.introspection.table_names():
            raise CommandError("this data folder has no database yet: `make run` or `manage.py prepare` makes it")
        if options["action"] == "apply":
            self._apply(options["file"])
        else:
            self._dump(options["file"])

    def _apply(self, file: str) -> None:
        source = "<stdin>" if file == STANDARD_INPUT else file
        try:
            outcome = apply_site(_read(file))
        except OSError as error:
            raise CommandError(f"{source}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            number = error.object.count(b"\n", 0, error.start) + 1
            raise CommandError(f"{source}:{number}: file: expected UTF-8 text, came other bytes") from error
        except SiteFileError as error:
            listed = "\n".join(problem.text(source) for problem in error.problems)
            raise CommandError(f"nothing was applied; problems found: {len(error.problems)}\n{listed}") from error
        for line in outcome.lines():
            self.stdout.write(line)
        for warning in outcome.warnings:
            self.stderr.write(f"warning: {warning}")

    def _dump(self, file: str | None) -> None:
        text = dump_site()
        if file is None:
            self.stdout.write(text, ending="")
            return
        try:
            Path(file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{file}: cannot be written: {error.strerror}") from error


def _read(file: str) -> str:
    """Read a file, or standard input, as UTF-8 with or without a byte order mark."""
    content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    return content.decode("utf-8-sig")
