"""Roll readings up: each second becomes the mean of its minute, each minute that of its quarter of an hour."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from energy.models import Reading, ReadingMean

MINUTE_S, QUARTER_S, HOUR_S = 60, 900, 3600
CURRENTS = tuple(f"{name}_l{line}_a" for name in ("grid", "charging", "limit") for line in (1, 2, 3))
ROWS_AT_ONCE = 3600
LATE_S = 10  # a reading may be written that long after its moment


class Row(NamedTuple):
    """The currents of one moment or one stretch of time, in the order of `CURRENTS`; None: not known."""

    at: datetime
    readings: int
    currents: tuple[float | None, ...]


def means(rows: Iterable[Row], span_s: int) -> Iterator[Row]:
    """Yield the mean of each span that has rows, which come in order of time; spans begin on the clock, in UTC."""
    for number, group in groupby(rows, key=lambda row: int(row.at.timestamp() // span_s)):
        members = list(group)
        columns = zip(*(row.currents for row in members), strict=True)
        weights = [row.readings for row in members]
        begins_at = datetime.fromtimestamp(number * span_s, tz=UTC)
        yield Row(begins_at, sum(weights), tuple(_mean(column, weights) for column in columns))


def _mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    """Return the weighted mean of what is known; None where nothing is."""
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


def seconds_between(since: datetime, until: datetime) -> QuerySet[Any, Any]:
    """Query what one turn of the loop each saw; `rows_of` reads it."""
    return Reading.objects.filter(at__gte=since, at__lt=until).order_by("at").values_list("at", *CURRENTS)


def means_between(span_s: int, since: datetime, until: datetime) -> QuerySet[Any, Any]:
    """Query the means of a span that begin in a stretch of time; `rows_of` reads it."""
    found = ReadingMean.objects.filter(span_s=span_s, begins_at__gte=since, begins_at__lt=until)
    return found.order_by("begins_at").values_list("begins_at", "readings", *CURRENTS)


def rows_of(found: Iterable[tuple[Any, ...]]) -> list[Row]:
    """Read what one of the two queries finds."""
    width = len(CURRENTS)
    return [Row(row[0], row[1] if len(row) > width + 1 else 1, row[-width:]) for row in found]


def rolled_until(span_s: int, now: datetime) -> datetime | None:
    """Tell up to when the means of a span are written; None: there are none. What a wrong clock wrote ahead is not."""
    newest = ReadingMean.objects.filter(span_s=span_s, begins_at__lt=now).order_by("-begins_at").first()
    return None if newest is None else newest.begins_at + timedelta(seconds=span_s)


def roll_up(*, now: datetime) -> None:
    """Write the means of the spans that are complete, at most `ROWS_AT_ONCE` rows of each: the next call goes on."""
    _roll(QUARTER_S, now, _roll(MINUTE_S, now, now - timedelta(seconds=LATE_S)))


@transaction.atomic
def _roll(span_s: int, now: datetime, until: datetime) -> datetime:
    """Write the next means of a span, of what is complete before a moment; returns up to when all are written."""
    end = datetime.fromtimestamp(until.timestamp() // span_s * span_s, tz=UTC)
    begin = rolled_until(span_s, now) or datetime.min.replace(tzinfo=UTC)
    found = seconds_between(begin, end) if span_s == MINUTE_S else means_between(MINUTE_S, begin, end)
    rows = rows_of(found[:ROWS_AT_ONCE])
    complete = list(means(rows, span_s))
    if len(rows) == ROWS_AT_ONCE:
        end = complete.pop().at  # it may go on behind what was read
    ReadingMean.objects.bulk_create(
        (
            ReadingMean(
                span_s=span_s,
                begins_at=row.at,
                readings=row.readings,
                **dict(zip(CURRENTS, row.currents, strict=True)),
            )
            for row in complete
        ),
        ignore_conflicts=True,
    )
    return end
