"""Limits by the day of the week and the time of day, as the clock on the wall shows it. Pure.

In the night in which the clock is put forward the hour that is left out counts nowhere; the one that comes twice in
autumn counts both times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

DAY_MIN, WEEK_MIN = 24 * 60, 7 * 24 * 60
SLOT_MIN = 15  # no zone puts its clock forward or back in between
LOOK_AHEAD_DAYS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A limit in A per line, from one time to another on some days of the week (0 is Monday).

    Times are minutes since midnight. `ends` not after `begins`: on the day after, so that the same time means 24 hours.
    """

    days: tuple[int, ...]
    begins_min: int
    ends_min: int
    limit_a: float

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield from when to when it holds, in minutes since Monday 0:00; the last may reach beyond the week."""
        length = (self.ends_min - self.begins_min) % DAY_MIN or DAY_MIN
        for day in self.days:
            begin = day * DAY_MIN + self.begins_min
            yield begin, begin + length

    def holds(self, at_min: int) -> bool:
        """Say whether it holds at a minute of the week."""
        return any(begin <= at_min < end or begin <= at_min + WEEK_MIN < end for begin, end in self.spans())


def limit_at(rows: Sequence[Row], moment: datetime) -> float | None:
    """Return the limit of a moment, whose zone says what the clock shows; None: there is none, as between the rows."""
    return _limit_at_min(rows, moment.weekday() * DAY_MIN + _minute_of(moment))


def next_change(rows: Sequence[Row], moment: datetime) -> datetime | None:
    """Return when another limit holds than now, or none any more; None: not within eight days."""
    return _next_change(tuple(rows), moment.astimezone(UTC).replace(second=0, microsecond=0), moment.tzinfo)


@lru_cache(maxsize=64)
def _next_change(rows: tuple[Row, ...], minute: datetime, zone: tzinfo | None) -> datetime | None:
    """Look for it once a minute, though it is asked for each second: where nothing changes, that takes long."""
    present = limit_at(rows, minute.astimezone(zone))
    marks = {mark % DAY_MIN for row in rows for mark in (row.begins_min, row.ends_min)}
    slot = minute.replace(minute=minute.minute - minute.minute % SLOT_MIN)
    for _ in range(LOOK_AHEAD_DAYS * DAY_MIN // SLOT_MIN):
        first = _minute_of(slot.astimezone(zone))
        for ahead_min in sorted({0, *((mark - first) % DAY_MIN for mark in marks)}):
            at = (slot + timedelta(minutes=ahead_min)).astimezone(zone)
            if ahead_min < SLOT_MIN and at > minute and limit_at(rows, at) != present:
                return at
        slot += timedelta(minutes=SLOT_MIN)
    return None


def overlap(one: Row, other: Row) -> tuple[int, int] | None:
    """Return the first time at which both would hold, in minutes since Monday 0:00; None: never."""
    found = [
        (max(begin, start + shift) % WEEK_MIN, min(end, stop + shift) % WEEK_MIN or WEEK_MIN)
        for begin, end in one.spans()
        for start, stop in other.spans()
        for shift in (-WEEK_MIN, 0, WEEK_MIN)
        if max(begin, start + shift) < min(end, stop + shift)
    ]
    return min(found, default=None)


def week_of(rows: Sequence[Row]) -> list[list[tuple[int, int, float]]]:
    """Lay the week out for its picture: of each day from when to when, in minutes since midnight, which limit holds."""
    edges = {edge % WEEK_MIN for row in rows for span in row.spans() for edge in span}
    week = []
    for day in range(7):
        start = day * DAY_MIN
        stops = sorted({start, start + DAY_MIN, *(edge for edge in edges if start < edge < start + DAY_MIN)})
        limits = [(begin, end, _limit_at_min(rows, begin)) for begin, end in pairwise(stops)]
        week.append([(begin - start, end - start, limit_a) for begin, end, limit_a in limits if limit_a is not None])
    return week


def _limit_at_min(rows: Sequence[Row], at_min: int) -> float | None:
    return min((row.limit_a for row in rows if row.holds(at_min)), default=None)


def _minute_of(moment: datetime) -> int:
    return moment.hour * 60 + moment.minute
