"""The stretch of days that is exported, as it is lived in the garage: pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

LONGEST_DAYS = 366
EARLIEST, LATEST = date(1970, 1, 1), date(2999, 12, 31)


class Period(NamedTuple):
    """Days from the first to the last, both included, in a time zone; what began in them belongs to them."""

    first: date
    last: date
    zone: tzinfo

    @property
    def since(self) -> datetime:
        """When the first day begins, UTC."""
        return _midnight(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """When the day after the last begins, UTC."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def month_of(day: date, zone: tzinfo) -> Period:
    """Return the month in which a day lies."""
    return Period(day.replace(day=1), next_month(day) - timedelta(days=1), zone)


def next_month(day: date) -> date:
    """Return the first day of the month after that of a day."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def months(first: date, last: date) -> Iterator[date]:
    """Give the first days of the months from that of one day to that of another."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = next_month(month)
