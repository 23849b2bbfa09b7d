"""The curve of building, charging and its limit: 15 minutes by the second, a day by the minute, a week by quarters."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils.translation import gettext as _

from energy.means import HOUR_S, MINUTE_S, QUARTER_S, Row, means, means_between, rows_of, seconds_between
from energy.models import Reading

PointRow = list[float | None]


@dataclass(frozen=True, slots=True)
class Grain:
    """How long a stretch of the curve is, how far apart its points are, and the rows of its table."""

    length: timedelta
    point_s: int
    row_s: int


class Span(StrEnum):
    """A stretch of time up to now that a person may look at."""

    QUARTER = "quarter"
    DAY = "day"
    WEEK = "week"

    @property
    def grain(self) -> Grain:
        """Tell how finely it is drawn."""
        return _GRAINS[self]

    @property
    def label(self) -> str:
        """Name it on its button, in the visitor's language."""
        return {Span.QUARTER: _("15 min"), Span.DAY: _("Day"), Span.WEEK: _("Week")}[self]

    @property
    def heading(self) -> str:
        """Name it over its table, in the visitor's language."""
        return {Span.QUARTER: _("Last 15 minutes"), Span.DAY: _("Last 24 hours"), Span.WEEK: _("Last 7 days")}[self]

    @property
    def row_label(self) -> str:
        """Say what a row of its table is, in the visitor's language."""
        return {
            Span.QUARTER: _("Currents in amperes, the mean of each minute"),
            Span.DAY: _("Currents in amperes, the mean of each quarter of an hour"),
            Span.WEEK: _("Currents in amperes, the mean of each hour"),
        }[self]


_GRAINS = {
    Span.QUARTER: Grain(timedelta(minutes=15), 1, MINUTE_S),
    Span.DAY: Grain(timedelta(days=1), MINUTE_S, QUARTER_S),
    Span.WEEK: Grain(timedelta(days=7), QUARTER_S, HOUR_S),
}


def span_of(word: str | None) -> Span:
    """Read what an address asks for; anything else is the last 15 minutes."""
    return Span(word) if word in list(Span) else Span.QUARTER


def points_of(span: Span, now: datetime) -> list[PointRow]:
    """List the points of the curve in order of time; a mean stands in the middle of its stretch."""
    half = timedelta(seconds=span.grain.point_s // 2)
    return [_point(row._replace(at=row.at + half)) for row in _rows(span.grain.point_s, now - span.grain.length, now)]


def table_of(span: Span, now: datetime) -> list[tuple[datetime, PointRow]]:
    """List the rows of the table, newest first: when each begins, and its currents as a point has them."""
    rows = means(_rows(span.grain.point_s, now - span.grain.length, now), span.grain.row_s)
    return [(row.at, _point(row)[1:]) for row in rows][::-1]


def point_of(reading: Reading) -> PointRow:
    """Give one point of the curve: Unix time, then L1, L2, L3 of the building, of charging and of its limit, A."""
    currents = (
        *(reading.grid_l1_a, reading.grid_l2_a, reading.grid_l3_a),
        *(reading.charging_l1_a, reading.charging_l2_a, reading.charging_l3_a),
        *(reading.limit_l1_a, reading.limit_l2_a, reading.limit_l3_a),
    )
    return _point(Row(reading.at, 1, currents))


def _rows(step_s: int, since: datetime, until: datetime) -> list[Row]:
    """Read what is kept at this step, and make what is not yet of the finer one."""
    if step_s == 1:
        return rows_of(seconds_between(since, until))
    kept = rows_of(means_between(step_s, since, until))
    rest = kept[-1].at + timedelta(seconds=step_s) if kept else since
    return [*kept, *means(_rows(MINUTE_S if step_s == QUARTER_S else 1, rest, until), step_s)]


def _point(row: Row) -> PointRow:
    """Take charging off what the meter saw; the building is None where it saw nothing."""
    grid, charging, limit = row.currents[:3], row.currents[3:6], row.currents[6:]
    building = (
        None if seen is None or drawn is None else seen - drawn for seen, drawn in zip(grid, charging, strict=True)
    )
    currents = (*building, *charging, *limit)
    return [round(row.at.timestamp(), 1), *(None if amps is None else round(amps, 1) for amps in currents)]
