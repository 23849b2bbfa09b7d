"""Run today's controller over what the flight recorder kept: `manage.py replay FROM TO`."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from energy.recorder import Difference, recorded_between, replay


class Command(BaseCommand):
    """Print each decision that would be another one now; nothing is sent or kept."""

    help = "Let today's controller decide over recorded inputs, and report every difference to what was decided then."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take from when to when."""
        for name in ("from", "to"):
            parser.add_argument(f"{name}_", metavar=name.upper(), type=_moment, help="2026-01-05T12:00")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's interface)
        """Report; exit with 1 where anything differs."""
        found = recorded_between(options["from_"], options["to_"])
        decisions, differences = 0, 0
        for item in replay(found.iterator(chunk_size=60)):
            if not isinstance(item, Difference):
                decisions += item
                continue
            differences += 1
            at = datetime.fromtimestamp(item.at, tz=timezone.get_current_timezone())
            told = f"told {item.told_a:g} A, would tell {item.would_tell_a:g} A ({item.reason})"
            self.stdout.write(f"{at:%Y-%m-%d %H:%M:%S} connector {item.key}: {told}")
        if not decisions:
            raise CommandError("Nothing was recorded in that time: minutes are kept for 14 days.")
        if differences:
            raise CommandError(f"{decisions} decisions, {differences} differences")
        self.stdout.write(f"{decisions} decisions, no difference")


def _moment(text: str) -> datetime:
    """Read a time; without an offset it is the installation's."""
    found = parse_datetime(text)
    if found is None:
        raise ValueError(text)
    return found if timezone.is_aware(found) else timezone.make_aware(found)
